import KVBlocks

extension BlockPool {
  /// Checks the list at the head of BlockPool.swift by a walk over all frames.
  package func assertInvariants() {
    var allocated = 0
    var free = 0
    var evictable = 0
    var dirty = 0
    var dirtyFrames = 0
    var frames = 0
    var pinned = 0
    var tabled = 0
    var described = 0
    var listed = 0
    for position in 0..<slotCount {
      let slot = slots[position]
      let frame = FrameIndex(position)
      allocated += slot.byteCount
      precondition((slot.base == nil) == (slot.byteCount == 0), "a frame has memory or no bytes")
      if slot.base != nil { frames += 1 }
      if slot.isEvictable { evictable += slot.byteCount }
      if slot.pinCount > 0 { pinned += 1 }
      precondition(!slot.isMarked, "marks are scratch")
      if slot.isListedForHits { listed += 1 }
      precondition(slot.hitCount == 0 || slot.isListedForHits && slot.isInTable, "hits are of resident blocks, listed")
      switch slot.state {
      case .free:
        precondition(slot.pinCount == 0 && slot.holdCount == 0, "a free frame is in nobody's use")
        free += slot.byteCount
        if slot.base == nil {
          precondition(vacant.contains(frame), "a slot without memory is vacant")
        } else {
          precondition(freeBySize[slot.byteCount]?.contains(frame) == true, "a free frame is on its list")
        }
      case .dirty, .writing:
        dirty += slot.byteCount
        dirtyFrames += 1
        precondition(contents[position]?.descriptor != nil, "a dirty block has a descriptor")
      case .filling:
        precondition(slot.pinCount == 0, "an open frame is private")
      case .failed:
        precondition(slot.pinCount > 0 || slot.holdCount > 0, "a failed frame waits for somebody")
      case .loading:
        precondition(slot.holdCount > 0, "a loading frame has its loader")
      case .clean:
        break
      }
      if slot.isInTable {
        tabled += 1
        precondition(table.find(slot.key, in: slots) == frame, "a resident block is found")
        if let descriptor = contents[position]?.descriptor {
          described += 1
          precondition(descriptor.key == slot.key, "a frame holds the block it is named for")
          let siblings = children[BlockKey(space: slot.key.space, hash: descriptor.parent)] ?? []
          precondition(siblings.contains(frame), "a described block is among its parent's children")
        }
      }
    }
    precondition(allocated == allocatedBytes && allocated <= budgetBytes, "frames stay inside the budget")
    precondition(peakBytes >= allocatedBytes && peakBytes <= budgetBytes, "the peak stays inside the budget")
    precondition(free == freeBytes, "free bytes are counted")
    precondition(evictable == evictableBytes, "evictable bytes are counted")
    precondition(dirty == dirtyBytes && dirtyFrames == dirtyCount, "dirty bytes are counted")
    precondition(frames == frameCount, "frames are counted")
    precondition(pinned == pinnedCount, "pinned frames are counted")
    precondition(
      listed == framesWithHits.count && framesWithHits.allSatisfy { slots[$0.slot].isListedForHits },
      "frames with hits are listed once")
    precondition(tabled == table.count, "the table holds the resident blocks only")
    precondition(children.values.reduce(0) { $0 + $1.count } == described, "children are resident")
  }
}
