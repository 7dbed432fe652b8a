import KVTiering

/// Everything under one model fingerprint, layout and salt. Sequences in one space share blocks; two spaces never do.
public final class CacheSpace: Sendable {
  public let store: Store
  let record: SpaceRecord

  init(store: Store, record: SpaceRecord) {
    self.store = store
    self.record = record
  }

  public var id: SpaceID { record.id }
  public var fingerprint: ModelFingerprint { record.fingerprint }
  public var layout: BlockLayout { record.layout }
  /// The parent of first blocks.
  public var root: BlockHash { record.root }

  /// The longest stored prefix of `tokens`: in RAM or on disk, written by any session, process or earlier run. Never an
  /// error for a miss: the prefix then has no tokens.
  ///
  /// Costs one hash a block and, where blocks are not resident, a binary search over the chain on disk. Blocks found
  /// count as used now, deeper ones as a little older.
  public func longestPrefix(of tokens: [Token]) throws(StoreError) -> Prefix {
    try store.checkUsable()
    let pager = store.pager
    let hashes = ChainHash.hashes(ofFullBlocksIn: tokens, blockTokenCount: layout.blockTokenCount, root: root)
    var keys = hashes.map { BlockKey(space: id, hash: $0) }
    pager.protect(keys)
    do throws(StoreError) {
      let found = try pager.availablePrefix(of: hashes, in: id)
      pager.unprotect(Array(keys[found.blockCount...]))
      keys.removeLast(keys.count - found.blockCount)
      let fullTokenCount = found.blockCount * layout.blockTokenCount
      var tokenCount = fullTokenCount
      let rest = tokens[fullTokenCount...].prefix(layout.blockTokenCount)
      if !rest.isEmpty,
        let part = try pager.partialMatch(after: keys.last?.hash ?? root, tokens: rest, in: id)
      {
        pager.protect([part.key])
        keys.append(part.key)
        // Found before it was protected: the quota may just have deleted it.
        if try pager.isAvailable(part.key) {
          tokenCount += part.tokenCount
          pager.notePartialHit(of: part.key)
        } else {
          keys.removeLast()
          pager.unprotect([part.key])
        }
      }
      store.instruments.prefixLookedUp(askedTokenCount: tokens.count, foundTokenCount: tokenCount)
      return Prefix(
        space: self, tokens: Array(tokens[..<tokenCount]), fullBlockCount: found.blockCount,
        memoryBlockCount: found.memoryBlockCount, keys: keys)
    } catch {
      pager.unprotect(keys)
      throw error
    }
  }

  /// Begins a session. It is in the store, and safe, from its first ``Session/commit()-5lufu`` on.
  /// - Throws: `alreadyExists` where the space has a session of that name.
  public func createSession(named name: String) throws(StoreError) -> Session {
    try store.checkWritable()
    try Session.validate(name: name)
    guard try store.disk.session(space: id, name: name) == nil else {
      throw StoreError(.alreadyExists, "a session \"\(name)\" exists; resume it, delete it, or choose another name")
    }
    return Session(space: self, name: name)
  }

  /// Begins a session with the tokens of a prefix: its blocks are shared, equal rows inside a further block are copied.
  public func createSession(named name: String, startingWith tokens: [Token], from prefix: borrowing Prefix)
    throws(StoreError) -> Session
  {
    precondition(prefix.space === self, "the prefix comes from another cache space")
    precondition(tokens.count >= prefix.tokenCount, "give the tokens that the prefix was looked up with")
    let session = try createSession(named: name)
    try session.adopt(tokens: Array(tokens[..<prefix.tokenCount]), keys: prefix.keys)
    return session
  }

  /// Resumes a committed session, from whichever process or run.
  /// - Throws: `notFound`.
  public func session(named name: String) throws(StoreError) -> Session {
    try store.checkUsable()
    guard let record = try store.disk.session(space: id, name: name) else {
      throw StoreError(.notFound, "no session \"\(name)\" in cache space \(id)")
    }
    let blockTokenCount = layout.blockTokenCount
    guard record.blocks.count == (record.tokens.count + blockTokenCount - 1) / blockTokenCount else {
      throw StoreError(
        .damaged,
        "session \"\(name)\" names \(record.blocks.count) blocks for \(record.tokens.count) tokens: "
          + "delete it, or bring the store back from a copy")
    }
    store.pager.noteResumed(record.blocks, in: id)
    return Session(space: self, record: record)
  }

  /// Copies the rows of `tokens` of a run of blocks, every plane to its destination. Returns the tokens copied, from
  /// the first on.
  func read(
    tokens: Range<Int>, of keys: [BlockKey], into destinations: [PlaneDestination]
  ) throws(StoreError) -> Int {
    for destination in destinations {
      precondition(layout.planes.indices.contains(destination.plane), "a plane of the layout")
      precondition(
        destination.bytes.count == tokens.count * layout.planes[destination.plane].rowByteCount,
        "a destination of the rows' size")
    }
    var blocks: [BlockRows] = []
    for piece in BlockPieces(of: tokens, blockTokenCount: layout.blockTokenCount) {
      blocks.append(
        BlockRows(key: keys[piece.block], rows: piece.rows, firstRow: piece.firstToken - tokens.lowerBound))
    }
    let count = try store.pager.readRows(of: blocks, layout: layout, into: destinations)
    return count < blocks.count ? blocks[count].firstRow : tokens.count
  }
}
