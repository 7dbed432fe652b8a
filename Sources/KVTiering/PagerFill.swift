import KVBlocks
import KVMemoryTier

/// The way in: a frame to fill, and what becomes of it.
extension Pager {
  private enum OpenPlan: Sendable {
    case opened(FrameIndex, FrameMemory)
    case room(PagerState.RoomPlan)
  }

  /// A private frame to fill with one block's rows. Evicts, and waits for the writer, where need be.
  ///
  /// - Throws: `budgetTooSmall` where the RAM budget is under one frame; `poolExhausted` where all frames are in use by
  ///   leases and open frames; the writer's error where frames are dirty and cannot be written back.
  package func openFrame(layout: BlockLayout) throws(StoreError) -> OpenFrame {
    try checkBudget(layout)
    let byteCount = layout.frameByteCount
    while true {
      let ticket = core.progress.ticket
      let plan = try core.state.withLock { state throws(StoreError) -> OpenPlan in
        try state.checkOpen()
        if let frame = state.reserve(byteCount: byteCount) { return .opened(frame, state.pool.memory(of: frame)) }
        return .room(state.planRoom(neededBytes: byteCount))
      }
      switch plan {
      case .opened(let frame, let memory):
        core.noteActivity()
        return OpenFrame(pager: self, frame: frame, memory: memory)
      case .room(let room): try core.carryOut(room, ticket: ticket)
      }
    }
  }

  /// `count` frames at one time, or none: where they do not fit beside what is in use, nothing is evicted either.
  ///
  /// - Parameter take: gets each of them, after all were had.
  /// - Throws: as ``openFrame(layout:)``.
  package func openFrames(
    _ count: Int, layout: BlockLayout, _ take: (consuming OpenFrame) -> Void
  ) throws(StoreError) {
    guard count > 0 else { return }
    try checkBudget(layout)
    while true {
      let ticket = core.progress.ticket
      let (frames, room) = try core.state.withLock { state throws(StoreError) in
        try state.checkOpen()
        return state.planFrames(count, layout)
      }
      guard let room else {
        for (frame, memory) in frames { take(OpenFrame(pager: self, frame: frame, memory: memory)) }
        return core.noteActivity()
      }
      try core.carryOut(room, ticket: ticket)
    }
  }

  private func checkBudget(_ layout: BlockLayout) throws(StoreError) {
    guard layout.frameByteCount <= core.configuration.memoryBudgetBytes else {
      throw StoreError(
        .budgetTooSmall,
        "a block takes \(layout.frameByteCount) bytes of RAM and the budget is "
          + "\(core.configuration.memoryBudgetBytes); raise it")
    }
  }

  /// The frame becomes the block of `descriptor`, shared and dirty, unless that block is resident or stored already.
  ///
  /// Seal parents before their children. The frame is given back where this throws.
  package func seal(
    _ frame: consuming OpenFrame, as descriptor: BlockDescriptor, layout: BlockLayout
  ) throws(StoreError) -> SealOutcome {
    precondition(descriptor.tokens.count <= layout.blockTokenCount, "a block holds no more tokens than its layout says")
    precondition(frame.bytes.count == layout.frameByteCount, "the frame was opened for another layout")
    let key = descriptor.key
    while true {
      core.awaitDeletion(of: key)
      let ticket = core.progress.ticket
      let (frameState, isDamaged) = try core.state.withLock { state throws(StoreError) -> (FrameState?, Bool) in
        try state.checkOpen()
        return (state.pool.find(key).map { state.pool[$0].state }, state.damagedKeys.contains(key))
      }
      if let frameState {
        guard frameState == .loading else { return settleShared(frame.handOver(), key) }
        // Only when the load has ended is it known whether the stored copy is whole.
        core.progress.wait(past: ticket)
        continue
      }
      if !isDamaged, try core.cold.contains(key) { return settleShared(frame.handOver(), key) }
      if settleNew(frame.frame, descriptor, layout) {
        _ = frame.handOver()
        return .added
      }
    }
  }

  private func settleShared(_ frame: FrameIndex, _ key: BlockKey) -> SealOutcome {
    core.state.withLock { state in
      state.pool.giveBack(frame)
      state.counters.shared += 1
      state.touch([key.hash], in: key.space, usesFrames: false, isHit: false)
    }
    core.progress.advance()
    return .alreadyPresent
  }

  /// Publishes the block, with a pin where `entries` is given; false where somebody else has put it into the table
  /// meanwhile.
  func settleNew(
    _ frame: FrameIndex, _ descriptor: BlockDescriptor, _ layout: BlockLayout, pinning entries: PinnedEntries? = nil
  ) -> Bool {
    let (isNew, ringsBell) = core.state.withLock { state -> (Bool, Bool) in
      guard state.pool.find(descriptor.key) == nil else { return (false, false) }
      let parent = BlockKey(space: descriptor.key.space, hash: descriptor.parent)
      let parentStamp = state.pool.find(parent).flatMap { frame -> UInt64? in
        let stamp = state.pool[frame].lastUse
        return stamp > 0 ? stamp : nil
      }
      let isFirst = state.dirtyQueue.isEmpty
      let wasUnder = state.pool.dirtyBytes < core.configuration.writeBackThresholdBytes
      state.pool.publishDirty(frame, descriptor: descriptor, layout: layout)
      state.pool[frame].lastUse = state.touches.stampSealed(descriptor.key, parent: parent, parentStamp: parentStamp)
      state.dirtyQueue.append(frame)
      state.counters.sealed += 1
      if let entries {
        state.pool.pin(frame)
        _ = state.fill(&entries[0], frame)
      }
      if isFirst { state.writer.restart() }
      return (true, isFirst || (wasUnder && state.pool.dirtyBytes >= core.configuration.writeBackThresholdBytes))
    }
    if ringsBell { core.writerBell.advance() }
    return isNew
  }

  func giveBack(_ frame: FrameIndex) {
    core.state.withLock { $0.pool.giveBack(frame) }
    core.progress.advance()
  }
}

extension PagerState {
  /// `count` frames, or what to do to get them.
  mutating func planFrames(
    _ count: Int, _ layout: BlockLayout
  ) -> (frames: [(FrameIndex, FrameMemory)], room: RoomPlan?) {
    let byteCount = layout.frameByteCount
    guard pool.canReserve(byteCount: byteCount, count: count) else {
      return ([], planRoom(neededBytes: Self.bytes(count, layout)))
    }
    var frames: [(FrameIndex, FrameMemory)] = []
    frames.reserveCapacity(count)
    while frames.count < count {
      guard let frame = reserve(byteCount: byteCount) else {
        // The system has no memory although the budget allows it.
        for (frame, _) in frames { pool.giveBack(frame) }
        return ([], planRoom(neededBytes: byteCount))
      }
      frames.append((frame, pool.memory(of: frame)))
    }
    return (frames, nil)
  }
}
