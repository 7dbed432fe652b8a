import KVTiering

extension RunningSequence {
  /// Adds tokens and reserves their rows, a frame for each block begun. The engine writes the rows of all planes
  /// (``withUnsafeNewRows(ofPlane:_:)``) before it changes the sequence again.
  ///
  /// Where the last block is shared with a fork, its rows are copied first (copy on write).
  /// - Throws: `poolExhausted` where the RAM budget has no frame left, with nothing changed: preempt or free another
  ///   sequence and try again; what sealing the blocks before throws.
  public func append(_ tokens: [Token]) throws(StoreError) {
    try state.withLock { state throws(StoreError) in
      try checkUsable(state)
      try sealFull(&state)
      var fresh: [TailFrame] = []
      let filled = state.tokens.count % layout.blockTokenCount
      var copied: TailFrame?
      if let tail = state.open.last, pool.ledger.withLock({ $0.isShared(tail) }) { copied = try copy(of: tail) }
      let room = filled == 0 ? 0 : layout.blockTokenCount - filled
      let frameCount = (max(0, tokens.count - room) + layout.blockTokenCount - 1) / layout.blockTokenCount
      for _ in 0..<frameCount { fresh.append(TailFrame(try pager.openFrame(layout: layout), rowCount: 0)) }
      // Nothing fails from here on.
      if let copied { replaceTail(by: copied, &state) }
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
    }
  }

  /// The rows that the last append reserved, of one plane: `body` is called for each stretch inside one block, with the
  /// positions of its tokens in the sequence and memory for just their rows, token-major. Fill all of it.
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
  }

  private func replaceTail(by copied: TailFrame, _ state: inout State) {
    guard let shared = state.open.popLast() else { return }
    pool.ledger.withLock { ledger in
      ledger.release(shared)
      ledger.hold(copied)
    }
    state.open.append(copied)
    state.frames[state.frames.count - 1] = UnsafeRawPointer(copied.bytes.baseAddress!)
  }

  func copy(of tail: TailFrame) throws(StoreError) -> TailFrame {
    let frame = try pager.openFrame(layout: layout)
    let bytes = frame.bytes
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<tail.rowCount)
      UnsafeMutableRawBufferPointer(rebasing: bytes[range])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: tail.bytes[range]))
    }
    return TailFrame(frame, rowCount: tail.rowCount)
  }

  /// Full tails get their identity and become the store's; the sequence pins them.
  func sealFull(_ state: inout State) throws(StoreError) {
    state.newTokenCount = 0
    while let tail = state.open.first, tail.rowCount == layout.blockTokenCount { try sealFirst(tail, &state) }
  }

  /// Seals the first open tail, which this sequence alone holds.
  func sealFirst(_ tail: TailFrame, _ state: inout State) throws(StoreError) {
    let rowCount = tail.rowCount
    let start = state.keys.count * layout.blockTokenCount
    let block = BlockDescriptor(
      space: pool.space.id, parent: state.keys.last?.hash ?? pool.space.root,
      tokens: Array(state.tokens[start..<start + rowCount]))
    pager.protect([block.key])
    let pin: Pin
    do throws(StoreError) {
      _ = try pager.seal(tail.take(), as: block, layout: layout)
      // Where the store had the block already, its rows stand for these: they may have to be loaded.
      pin = Pin(try pager.pin([block.key], layout: layout))
      guard pin.blocks.count == 1 else {
        throw StoreError(
          .blockLost, "block \(block.key) is gone or damaged; compute the sequence from its tokens again")
      }
    } catch {
      pager.unprotect([block.key])
      // The rows went with the frame: the sequence ends before them.
      end(before: start, &state)
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

  private func end(before position: Int, _ state: inout State) {
    pool.ledger.withLock { ledger in
      for tail in state.open { ledger.release(tail) }
      ledger.count(tokens: position - state.tokens.count)
    }
    state.open = []
    state.frames.removeLast(state.frames.count - state.keys.count)
    state.tokens.removeLast(state.tokens.count - position)
    state.newTokenCount = 0
  }
}
