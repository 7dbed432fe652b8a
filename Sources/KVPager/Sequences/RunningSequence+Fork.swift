import KVTiering

extension RunningSequence {
  /// Another sequence with the same tokens: for parallel samples, beams, branches. Nothing is copied: blocks are
  /// shared, the last one until either sequence goes on (copy on write).
  /// - Precondition: the rows of the last append are written. Afterwards they belong to both and cannot be written
  ///   again.
  /// - Throws: what sealing full blocks throws; the sequence is as whole as before.
  public func fork() throws(StoreError) -> RunningSequence {
    let (tokens, keys, tail) = try state.withLock { state throws(StoreError) -> ([Token], [BlockKey], TailFrame?) in
      try checkUsable(state)
      try sealFull(&state)
      return (state.tokens, state.keys, state.open.last)
    }
    let fork = RunningSequence(pool: pool)
    try fork.take(tokens: tokens, keys: keys, tail: tail)
    return fork
  }

  /// Gives the RAM back without forgetting anything: the rows stay in the store's blocks, the last one as a short
  /// block, which are written to disk and leave RAM when others need it. ``resume()`` brings them back.
  /// - Precondition: the rows of the last append are written.
  /// - Throws: `poolExhausted` where a tail that is shared with a fork has to be copied and no frame is left; what
  ///   sealing throws. The sequence is not preempted then, and as whole as before.
  public func preempt() throws(StoreError) {
    try state.withLock { state throws(StoreError) in
      try checkUsable(state)
      try sealFull(&state)
      if let shared = sharedTail(state) {
        replaceTail(shared, by: TailFrame(try pager.openFrame(layout: layout), rowCount: 0), &state)
      }
      if let tail = state.open.first { try sealFirst(tail, &state) }
      letGo(&state)
      state.isPreempted = true
      pool.ledger.withLock { $0.count(running: -1, preempted: 1) }
    }
  }

  /// Brings a preempted sequence back to RAM.
  /// - Throws: `poolExhausted` where its frames do not fit beside those in use, `blockLost` where a block was lost on
  ///   disk; the sequence stays preempted.
  public func resume() throws(StoreError) {
    try pool.space.store.checkWritable()
    let (tokens, keys) = state.withLock { state in
      precondition(!state.isFreed, "a sequence that was freed")
      precondition(state.isPreempted, "a sequence that was not preempted")
      return (state.tokens, state.keys)
    }
    let back = RunningSequence(pool: pool)
    do throws(StoreError) {
      try back.adopt(tokens: tokens, keys: keys)
      guard back.tokenCount == tokens.count else {
        throw StoreError(
          .blockLost,
          "the rows from token \(back.tokenCount) of \(tokens.count) on are gone or damaged; "
            + "free the sequence and compute it from its tokens again")
      }
    } catch {
      back.free()
      throw error
    }
    // The frames change owner, and with them the name of the running one.
    let resumed = back.state.withLock { other in
      let taken = other
      other = State()
      other.isPreempted = true
      other.keys = keys
      return taken
    }
    state.withLock { state in
      precondition(!state.isFreed && state.isPreempted, "one sequence is one thread's at a time")
      state = resumed
    }
    back.free()
  }

  /// Makes the first tokens of a run of blocks this sequence's: full blocks are pinned, the rows before the end inside
  /// a further one are copied to an open tail. Ends early where a block is lost.
  func adopt(tokens: [Token], keys: [BlockKey]) throws(StoreError) {
    let blockTokenCount = layout.blockTokenCount
    let fullCount = tokens.count / blockTokenCount
    let pin = Pin(try pager.pin(Array(keys[..<fullCount]), layout: layout))
    let rowCount = tokens.count % blockTokenCount
    var tail: TailFrame?
    if rowCount > 0, pin.blocks.count == fullCount {
      let frame = try pager.openFrame(layout: layout)
      if try readRows(rowCount, of: keys[fullCount], into: frame.bytes) {
        tail = TailFrame(frame, rowCount: rowCount)
      }
    }
    let held = Array(keys[..<pin.blocks.count])
    let tokenCount = held.count * blockTokenCount + (tail == nil ? 0 : rowCount)
    settle(tokens: Array(tokens[..<tokenCount]), keys: held, pin: pin, tail: tail)
  }

  private func take(tokens: [Token], keys: [BlockKey], tail: TailFrame?) throws(StoreError) {
    // All are pinned by the sequence that is forked.
    let pin = Pin(try pager.pin(keys, layout: layout))
    precondition(pin.blocks.count == keys.count, "pinned blocks stay")
    settle(tokens: tokens, keys: keys, pin: pin, tail: tail)
  }

  private func settle(tokens: [Token], keys: [BlockKey], pin: Pin, tail: TailFrame?) {
    pager.protect(keys)
    state.withLock { state in
      state.tokens = tokens
      state.keys = keys
      state.pins = keys.isEmpty ? [] : [pin]
      state.frames = keys.indices.map { UnsafeRawPointer(pin.blocks.bytes(of: $0).baseAddress!) }
      if let tail {
        state.open = [tail]
        state.frames.append(UnsafeRawPointer(tail.bytes.baseAddress!))
      }
      pool.ledger.withLock { ledger in
        for key in keys { ledger.hold(key, rowCount: layout.blockTokenCount) }
        if let tail { ledger.hold(tail) }
        ledger.count(tokens: tokens.count)
      }
    }
  }

  private func readRows(
    _ rowCount: Int, of key: BlockKey, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> Bool {
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<rowCount)
      let target = UnsafeMutableRawBufferPointer(rebasing: frame[range])
      guard try pager.readPlane(key, layout: layout, plane: plane, rows: 0..<rowCount, into: target) else {
        return false
      }
    }
    return true
  }
}
