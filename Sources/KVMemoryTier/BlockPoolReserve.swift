import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

extension BlockPool {
  package static let memoryAlignmentByteCount = 4096

  /// Whether `count` frames of `byteCount` bytes can be had now, by evicting clean blocks if need be.
  package func canReserve(byteCount: Int, count: Int = 1) -> Bool {
    let (needed, overflow) = byteCount.multipliedReportingOverflow(by: count)
    return !overflow && needed <= budgetBytes - allocatedBytes + freeBytes + evictableBytes
  }

  /// A frame of `byteCount` bytes in state ``FrameState/filling``: a free one of that size, else new memory, else the
  /// memory of victims. Nil, with nothing evicted, where blocks in use leave no room or the system has no memory.
  package mutating func reserve(byteCount: Int) -> FrameIndex? {
    precondition(byteCount > 0, "a frame holds at least one byte")
    guard canReserve(byteCount: byteCount) else { return nil }
    while true {
      if let frame = takeFree(byteCount: byteCount) { return frame }
      if allocatedBytes + byteCount <= budgetBytes { return allocate(byteCount: byteCount) }
      if freeBytes > 0 {
        releaseOneFreeFrame()
      } else {
        let slots = self.slots
        guard let victim = policy.victim(where: { slots[$0.slot].isEvictable }) else {
          preconditionFailure("evictable bytes are counted, yet the policy has no victim")
        }
        evict(victim)
      }
    }
  }

  /// A resident clean block leaves RAM; its frame is free and keeps its memory.
  package mutating func evict(_ frame: FrameIndex) {
    precondition(slots[frame.slot].isEvictable, "only clean blocks that nobody uses are evicted")
    evictionCount += 1
    leaveTable(frame)
    policy.remove(frame, hash: BlockIndexTable.hash(slots[frame.slot].key))
    setFree(frame)
  }

  /// An open frame, or one whose load failed, is not needed any more.
  package mutating func giveBack(_ frame: FrameIndex) {
    let slot = slots[frame.slot]
    precondition(slot.state == .filling || slot.state == .failed, "only a frame outside the table is given back")
    precondition(slot.pinCount == 0 && slot.holdCount == 0, "a frame in use is not given back")
    setFree(frame)
  }

  mutating func setFree(_ frame: FrameIndex) {
    contents[frame.slot] = nil
    recounting(frame) { $0.state = .free }
    freeBySize[slots[frame.slot].byteCount, default: []].append(frame)
  }

  /// Takes a block out of the table and out of its parent's children.
  mutating func leaveTable(_ frame: FrameIndex) {
    let key = slots[frame.slot].key
    parkHits(of: frame)
    table.remove(key, in: slots)
    guard let descriptor = contents[frame.slot]?.descriptor else { return }
    let parent = BlockKey(space: key.space, hash: descriptor.parent)
    children[parent]?.removeAll { $0 == frame }
    if children[parent]?.isEmpty == true { children[parent] = nil }
  }

  private mutating func takeFree(byteCount: Int) -> FrameIndex? {
    guard let frame = freeBySize[byteCount]?.popLast() else { return nil }
    if freeBySize[byteCount]?.isEmpty == true { freeBySize[byteCount] = nil }
    recounting(frame) { Self.open(&$0) }
    return frame
  }

  private mutating func allocate(byteCount: Int) -> FrameIndex? {
    var base: UnsafeMutableRawPointer?
    guard posix_memalign(&base, Self.memoryAlignmentByteCount, byteCount) == 0, let base else { return nil }
    let frame = vacant.popLast() ?? appendSlot()
    slots[frame.slot].base = base
    slots[frame.slot].byteCount = byteCount
    Self.open(&slots[frame.slot])
    allocatedBytes += byteCount
    peakBytes = max(peakBytes, allocatedBytes)
    allocationCount += 1
    frameCount += 1
    return frame
  }

  private static func open(_ slot: inout FrameSlot) {
    slot.state = .filling
    slot.key = BlockKey(space: SpaceID(rawValue: 0), hash: .zero)
    slot.lastUse = 0
    slot.tokenCount = 0
    slot.isStored = false
    slot.replacesDamaged = false
    slot.isMarked = false
  }

  /// Returns one free frame's memory to the system, of whatever size.
  private mutating func releaseOneFreeFrame() {
    guard let size = freeBySize.keys.first, let frame = freeBySize[size]?.popLast() else {
      preconditionFailure("free bytes are counted, yet no frame is free")
    }
    if freeBySize[size]?.isEmpty == true { freeBySize[size] = nil }
    recounting(frame) { slot in
      free(slot.base)
      slot.base = nil
      slot.byteCount = 0
    }
    allocatedBytes -= size
    frameCount -= 1
    vacant.append(frame)
  }

  private mutating func appendSlot() -> FrameIndex {
    if slotCount == slotCapacity {
      let larger = UnsafeMutablePointer<FrameSlot>.allocate(capacity: slotCapacity * 2)
      larger.update(from: slots, count: slotCount)
      slots.deallocate()
      slots = larger
      slotCapacity *= 2
      policy.grow(toFrameCount: slotCapacity)
    }
    (slots + slotCount).initialize(to: FrameSlot())
    contents.append(nil)
    slotCount += 1
    return FrameIndex(slotCount - 1)
  }
}
