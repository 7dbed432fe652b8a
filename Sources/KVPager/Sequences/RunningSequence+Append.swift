import KVTiering

extension RunningSequence {
  /// Adds tokens and reserves their rows, a frame for each block begun. The engine writes the rows of all planes
  /// (``withUnsafeNewRows(ofPlane:_:)``) before it changes the sequence again.
  ///
  /// Where the last block is shared with a fork, its rows are copied first (copy on write).
  /// - Precondition: the rows of the append before are written.
  /// - Throws: `poolExhausted` where the frames do not fit beside those in use, with nothing evicted for them: preempt
  ///   or free another sequence and try again; what sealing the blocks before throws. After any error the sequence has
  ///   all its tokens and rows, and none of the new ones.
  public func append(_ tokens: [Token]) throws(StoreError) {
    try state.withLock { state throws(StoreError) in
      try checkUsable(state)
      try sealFull(&state)
      let filled = state.tokens.count % layout.blockTokenCount
      let room = filled == 0 ? 0 : layout.blockTokenCount - filled
      let freshCount = (max(0, tokens.count - room) + layout.blockTokenCount - 1) / layout.blockTokenCount
      let shared = tokens.isEmpty ? nil : sharedTail(state)
      var fresh: [TailFrame] = []
      try pager.openFrames(freshCount + (shared == nil ? 0 : 1), layout: layout) {
        fresh.append(TailFrame($0, rowCount: 0))
      }
      // Nothing fails from here on.
      if let shared, let frame = fresh.popLast() { replaceTail(shared, by: frame, &state) }
      pool.ledger.withLock { ledger in
        var rest = tokens.count
        if let tail = state.open.last {
          let count = min(room, rest)
          tail.grow(by: count)
          ledger.grow(tail, by: count)
          rest -= count
        }
        for tail in fresh {
          tail.grow(by: min(layout.blockTokenCount, rest))
          rest -= tail.rowCount
          ledger.hold(tail)
        }
        ledger.count(tokens: tokens.count)
      }
      state.open += fresh
      for tail in fresh { state.frames.append(UnsafeRawPointer(tail.bytes.baseAddress!)) }
      state.tokens += tokens
      state.newTokenCount = tokens.count
      if !tokens.isEmpty { state.owed.owe(planeCount: layout.planes.count) }
    }
  }

  /// The rows that the last append reserved, of one plane: `body` is called for each stretch inside one block, with the
  /// positions of its tokens in the sequence and memory for just their rows, token-major. Fill all of it: the plane
  /// counts as written when this returns. There are none after a fork or a resumption.
  public func withUnsafeNewRows(
    ofPlane plane: Int, _ body: (_ positions: Range<Int>, _ rows: UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows {
    let (count, newCount, open) = state.withLock { ($0.tokens.count, $0.newTokenCount, $0.open) }
    let blockTokenCount = layout.blockTokenCount
    let firstOpen = (count - 1) / blockTokenCount + 1 - open.count
    for piece in BlockPieces(of: count - newCount..<count, blockTokenCount: blockTokenCount) {
      let range = layout.byteRange(ofPlane: plane, rows: piece.rows)
      try body(
        piece.firstToken..<piece.firstToken + piece.rows.count,
        UnsafeMutableRawBufferPointer(rebasing: open[piece.block - firstOpen].bytes[range]))
    }
    state.withLock { $0.owed.write(plane: plane) }
  }

  /// The last tail, where other sequences hold it too.
  func sharedTail(_ state: State) -> TailFrame? {
    state.open.last.flatMap { tail in pool.ledger.withLock { $0.isShared(tail) } ? tail : nil }
  }

  /// Copies the rows of a shared last tail into a frame of the sequence's own, which takes its place.
  func replaceTail(_ shared: TailFrame, by own: TailFrame, _ state: inout State) {
    let rowCount = shared.rowCount
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<rowCount)
      UnsafeMutableRawBufferPointer(rebasing: own.bytes[range])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: shared.bytes[range]))
    }
    own.grow(by: rowCount)
    pool.ledger.withLock { ledger in
      ledger.release(shared)
      ledger.hold(own)
    }
    state.open[state.open.count - 1] = own
    state.frames[state.frames.count - 1] = UnsafeRawPointer(own.bytes.baseAddress!)
  }

  /// Full tails get their identity and become the store's; the sequence pins them.
  /// - Throws: with the sequence whole: tails that are not sealed stay open.
  func sealFull(_ state: inout State) throws(StoreError) {
    precondition(state.owed.isEmpty, "the rows of the last append are written before the sequence is changed")
    state.newTokenCount = 0
    while let tail = state.open.first, tail.rowCount == layout.blockTokenCount { try sealFirst(tail, &state) }
  }

  /// Seals the first open tail, which this sequence alone holds. Where the store has the block already, its rows stand
  /// for these: they may have to be loaded, and these are kept until they are.
  func sealFirst(_ tail: TailFrame, _ state: inout State) throws(StoreError) {
    let rowCount = tail.rowCount
    let start = state.keys.count * layout.blockTokenCount
    let block = BlockDescriptor(
      space: pool.space.id, parent: state.keys.last?.hash ?? pool.space.root,
      tokens: Array(state.tokens[start..<start + rowCount]))
    pager.protect([block.key])
    let pin: Pin
    do throws(StoreError) {
      pin = try tail.seal { (frame) throws(StoreError) in
        Pin(try pager.sealPinned(&frame, as: block, layout: layout))
      }
    } catch {
      pager.unprotect([block.key])
      throw error
    }
    pool.ledger.withLock { ledger in
      ledger.release(tail)
      ledger.hold(block.key, rowCount: rowCount)
    }
    state.frames[state.keys.count] = UnsafeRawPointer(pin.blocks.bytes(of: 0).baseAddress!)
    state.open.removeFirst()
    state.keys.append(block.key)
    state.pins.append(pin)
  }
}
