import KVTiering

extension Session {
  /// Loads what is on disk and pins the blocks of `tokens` (all by default), whole blocks. The lease counts tokens from
  /// the first of those blocks.
  /// - Throws: `poolExhausted` where they do not fit into the RAM budget beside what is pinned already; `blockLost`.
  public func lease(tokens: Range<Int>? = nil) throws(StoreError) -> BlockLease {
    let (keys, range) = try sealedRun(tokens)
    var pinned = try pager.pin(keys, layout: layout)
    if pinned.count == keys.count - 1, let standIn = try tailStandIn(for: keys[pinned.count]) {
      pinned = try pager.pin(keys.dropLast() + [standIn], layout: layout)
    }
    guard pinned.count == keys.count else { throw lost([keys[pinned.count]]) }
    let first = keys.isEmpty ? 0 : range.lowerBound / layout.blockTokenCount * layout.blockTokenCount
    return BlockLease(layout: layout, tokenCount: range.upperBound - first, pinned: pinned)
  }

  /// Copies the rows of one plane over `tokens` (all by default) into the caller's memory, token-major. Blocks on disk
  /// are decoded straight into it and need no frame.
  /// - Precondition: `destination` has `tokens.count * rowByteCount` bytes.
  /// - Throws: `blockLost`; `invalidArgument` for tokens that the session does not have.
  public func gather(
    plane: Int, tokens: Range<Int>? = nil, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) {
    try read(tokens: tokens, into: [PlaneDestination(plane: plane, bytes: destination)])
  }

  /// Copies the rows of several planes over `tokens` (all by default) into the caller's memory, token-major: faster
  /// than plane by plane, since each block is looked up once.
  /// - Precondition: each destination has `tokens.count * rowByteCount` bytes.
  /// - Throws: `blockLost`; `invalidArgument` for tokens that the session does not have.
  public func read(tokens: Range<Int>? = nil, into destinations: [PlaneDestination]) throws(StoreError) {
    try sealForReading()
    let (hashes, count) = state.withLock { ($0.table.hashes, $0.table.tokenCount) }
    let range = try checked(tokens ?? 0..<count, count)
    var keys = keys(hashes)
    var copied = try space.read(tokens: range, of: keys, into: destinations)
    if copied < range.count {
      let missing = (range.lowerBound + copied) / layout.blockTokenCount
      if let standIn = try tailStandIn(for: keys[missing]) {
        keys[missing] = standIn
        let rest = destinations.map {
          PlaneDestination(
            plane: $0.plane,
            bytes: UnsafeMutableRawBufferPointer(
              rebasing: $0.bytes[(copied * layout.planes[$0.plane].rowByteCount)...]))
        }
        copied += try space.read(tokens: range.lowerBound + copied..<range.upperBound, of: keys, into: rest)
      }
    }
    guard copied == range.count else { throw lost([keys[(range.lowerBound + copied) / layout.blockTokenCount]]) }
  }

  /// A block that begins with this session's tail, where the tail itself is gone: whoever committed the session since,
  /// in another process, put a longer block in its place, and its first rows are the tail's.
  func tailStandIn(for key: BlockKey) throws(StoreError) -> BlockKey? {
    let (table, tokens, isPlain) = state.withLock { state in
      let isTail = state.table.tailTokenCount > 0 && state.table.hashes.last == key.hash
      // What begins with a variant's tokens has other rows.
      return (
        state.table, state.tokens,
        isTail && state.sharing(ofRowsIn: state.table.blockCount - 1, space) == .byIdentity
      )
    }
    guard isPlain else { return nil }
    let tail = tokens[table.tokenRange(ofBlock: table.blockCount - 1)]
    let parent = table.blockCount > 1 ? table.hashes[table.blockCount - 2] : space.root
    guard let match = try pager.partialMatch(after: parent, tokens: tail, in: space.id),
      match.tokenCount == tail.count, match.key != key
    else { return nil }
    return match.key
  }

  /// Starts loading the blocks of `tokens` (all by default) into free frames, without waiting and without pinning.
  public func prefetch(tokens: Range<Int>? = nil) throws(StoreError) {
    pager.prefetch(try sealedRun(tokens).keys, layout: layout)
  }

  /// The keys of the blocks that hold `tokens`, everything sealed.
  private func sealedRun(_ tokens: Range<Int>?) throws(StoreError) -> (keys: [BlockKey], tokens: Range<Int>) {
    try sealForReading()
    let (hashes, count) = state.withLock { ($0.table.hashes, $0.table.tokenCount) }
    let range = try checked(tokens ?? 0..<count, count)
    guard !range.isEmpty else { return ([], range) }
    let blockTokenCount = layout.blockTokenCount
    let last = (range.upperBound + blockTokenCount - 1) / blockTokenCount
    return (keys(hashes[range.lowerBound / blockTokenCount..<last]), range)
  }

  /// Another thread may have cut the session since its tokens were counted: an answer, no trap.
  private func checked(_ range: Range<Int>, _ count: Int) throws(StoreError) -> Range<Int> {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw .invalidArgument("tokens \(range) of session \"\(name)\", which has \(count)")
    }
    return range
  }

  private func sealForReading() throws(StoreError) {
    try space.store.checkUsable()
    // A tail is open, or another thread is filling it. Inside an append closure only what is sealed can be read.
    guard state.withLock({ $0.tokens.count > $0.table.tokenCount }), !gate.isMine else { return }
    try gate.enter { () throws(StoreError) in try sealOpenTail() }
  }
}
