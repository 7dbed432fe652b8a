import KVBlocks

/// How often a block was found, since the disk tier was told last.
package struct BlockHits: Hashable, Sendable {
  package var key: BlockKey
  package var count: Int
}

/// Hits wait in the frames until there is a batch to tell them with, so that a look-up costs no more than an addition.
extension BlockPool {
  /// Blocks that left RAM with hits to tell, remembered at most; beyond it they are forgotten.
  static var departedHitLimit: Int { 32_768 }

  /// A look-up found the block.
  @inline(__always)
  package mutating func noteHit(_ frame: FrameIndex) {
    slots[frame.slot].hitCount &+= 1
    guard !slots[frame.slot].isListedForHits else { return }
    slots[frame.slot].isListedForHits = true
    framesWithHits.append(frame)
  }

  /// Hits of a resident block, which are told now.
  @inline(__always)
  package mutating func takeHits(of frame: FrameIndex) -> Int {
    defer { slots[frame.slot].hitCount = 0 }
    return Int(slots[frame.slot].hitCount)
  }

  /// There may be hits to tell.
  package var hasHits: Bool { !framesWithHits.isEmpty || !departedHits.isEmpty }

  /// Hits of all blocks that are to be told now, and of those that left RAM.
  package mutating func takeHits(where isDue: (FrameSlot) -> Bool) -> [BlockHits] {
    var hits = departedHits
    departedHits.removeAll()
    let slots = self.slots
    framesWithHits.removeAll { frame in
      let slot = slots[frame.slot]
      guard slot.hitCount == 0 || isDue(slot) else { return false }
      if slot.hitCount > 0 { hits.append(BlockHits(key: slot.key, count: Int(slot.hitCount))) }
      slots[frame.slot].hitCount = 0
      slots[frame.slot].isListedForHits = false
      return true
    }
    return hits
  }

  /// The block leaves the table: what is to be told of it is kept apart from its frame.
  mutating func parkHits(of frame: FrameIndex) {
    let count = takeHits(of: frame)
    guard count > 0, departedHits.count < Self.departedHitLimit else { return }
    departedHits.append(BlockHits(key: slots[frame.slot].key, count: count))
  }
}
