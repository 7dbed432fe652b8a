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
    let byteCount = layout.frameByteCount
    guard byteCount <= core.configuration.memoryBudgetBytes else {
      throw StoreError(
        .budgetTooSmall,
        "a block takes \(byteCount) bytes of RAM and the budget is \(core.configuration.memoryBudgetBytes); raise it"
      )
    }
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

  /// Publishes the block; false where somebody else has put it into the table meanwhile.
  private func settleNew(_ frame: FrameIndex, _ descriptor: BlockDescriptor, _ layout: BlockLayout) -> Bool {
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
