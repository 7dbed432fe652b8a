import KVBlocks

/// How a frame goes from state to state. Every step but reserving and evicting is here.
extension BlockPool {
  // MARK: Into the table

  /// A filled frame becomes a shared block, in RAM only.
  package mutating func publishDirty(_ frame: FrameIndex, descriptor: BlockDescriptor, layout: BlockLayout) {
    precondition(slots[frame.slot].state == .filling, "only an open frame is published")
    enterTable(frame, descriptor.key)
    contents[frame.slot] = FrameContents(descriptor: descriptor, layout: layout)
    let parent = BlockKey(space: descriptor.key.space, hash: descriptor.parent)
    children[parent, default: []].append(frame)
    recounting(frame) {
      $0.state = .dirty
      $0.tokenCount = UInt32(descriptor.tokens.count)
    }
    policy.admit(frame, hash: BlockIndexTable.hash(descriptor.key), behind: table.find(parent, in: slots))
  }

  /// A reserved frame waits for its block from disk, held by its loader.
  package mutating func beginLoad(_ frame: FrameIndex, key: BlockKey, layout: BlockLayout) {
    precondition(slots[frame.slot].state == .filling, "only a reserved frame is loaded into")
    enterTable(frame, key)
    contents[frame.slot] = FrameContents(descriptor: nil, layout: layout)
    recounting(frame) {
      $0.state = .loading
      $0.holdCount = 1
    }
  }

  package mutating func finishLoad(_ frame: FrameIndex, tokenCount: Int) {
    precondition(slots[frame.slot].state == .loading, "only a loading frame is finished")
    recounting(frame) {
      $0.state = .clean
      $0.isStored = true
      $0.tokenCount = UInt32(tokenCount)
      $0.holdCount -= 1
    }
    policy.admit(frame, hash: BlockIndexTable.hash(slots[frame.slot].key), behind: nil)
    if slots[frame.slot].pinCount > 0 { policy.hold(frame) }
  }

  /// The block could not be had. Its frame is free as soon as nobody waits for it.
  package mutating func failLoad(_ frame: FrameIndex) {
    precondition(slots[frame.slot].state == .loading, "only a loading frame fails")
    leaveTable(frame)
    recounting(frame) {
      $0.state = .failed
      $0.holdCount -= 1
    }
    freeIfFailed(frame)
  }

  private mutating func enterTable(_ frame: FrameIndex, _ key: BlockKey) {
    precondition(table.find(key, in: slots) == nil, "a block is resident once")
    slots[frame.slot].key = key
    table.insert(key, frame, in: slots)
  }

  private mutating func freeIfFailed(_ frame: FrameIndex) {
    let slot = slots[frame.slot]
    if slot.state == .failed, slot.pinCount == 0, slot.holdCount == 0 { setFree(frame) }
  }

  // MARK: Writing back

  package mutating func beginWrite(_ frame: FrameIndex) {
    precondition(slots[frame.slot].state == .dirty, "only a dirty block is written back")
    recounting(frame) { $0.state = .writing }
  }

  /// The write failed: nothing is lost, the block stays dirty.
  package mutating func abandonWrite(_ frame: FrameIndex) {
    precondition(slots[frame.slot].state == .writing, "only a block being written is abandoned")
    recounting(frame) { $0.state = .dirty }
  }

  /// The block is stored, or the pager gave up storing it; either way it may be evicted.
  package mutating func finishWrite(_ frame: FrameIndex, isStored: Bool) {
    precondition(slots[frame.slot].state == .writing, "only a block being written is finished")
    recounting(frame) {
      $0.state = .clean
      $0.isStored = isStored
      if isStored { $0.replacesDamaged = false }
    }
  }

  /// The disk tier may have deleted a clean block.
  package mutating func noteUnstored(_ frame: FrameIndex) {
    precondition(slots[frame.slot].state == .clean, "only a clean block is thought stored")
    slots[frame.slot].isStored = false
  }

  /// A clean block that the disk tier turned out not to have is dirty again. Needs its descriptor.
  package mutating func makeDirty(_ frame: FrameIndex, descriptor: BlockDescriptor) {
    precondition(slots[frame.slot].state == .clean, "only a clean block becomes dirty")
    recounting(frame) {
      $0.state = .dirty
      $0.isStored = false
    }
    guard contents[frame.slot]?.descriptor == nil else { return }
    contents[frame.slot]?.descriptor = descriptor
    children[BlockKey(space: descriptor.key.space, hash: descriptor.parent), default: []].append(frame)
  }

  // MARK: Pins

  /// One more lease on a resident or loading block.
  @inline(__always)
  package mutating func pin(_ frame: FrameIndex) {
    if slots[frame.slot].pinCount == 0, slots[frame.slot].isReadable { policy.hold(frame) }
    recounting(frame) { $0.pinCount += 1 }
  }

  @inline(__always)
  package mutating func unpin(_ frame: FrameIndex) {
    precondition(slots[frame.slot].pinCount > 0, "a pin is given back once")
    recounting(frame) { $0.pinCount -= 1 }
    guard slots[frame.slot].pinCount == 0 else { return }
    if slots[frame.slot].isReadable { policy.release(frame) } else { freeIfFailed(frame) }
  }

  /// A short use inside the pager: keeps the frame, changes nothing about its recency.
  package mutating func hold(_ frame: FrameIndex) {
    recounting(frame) { $0.holdCount += 1 }
  }

  package mutating func unhold(_ frame: FrameIndex) {
    precondition(slots[frame.slot].holdCount > 0, "a hold is given back once")
    recounting(frame) { $0.holdCount -= 1 }
    freeIfFailed(frame)
  }

  /// A use without a pin. Tell a chain's deeper blocks first.
  @inline(__always)
  package mutating func use(_ frame: FrameIndex) {
    if slots[frame.slot].pinCount == 0, slots[frame.slot].isReadable { policy.use(frame) }
  }
}
