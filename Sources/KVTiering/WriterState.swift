import KVBlocks
import KVMemoryTier

/// The writer's part of the state: choosing batches and settling them.
extension PagerState {
  /// The oldest dirty blocks, one batch of them at most, now `writing`.
  mutating func beginBatch(frameLimit: Int) -> [BatchItem] {
    var items: [BatchItem] = []
    var byteCount = 0
    for frame in dirtyQueue where pool[frame].state == .dirty {
      guard items.count < frameLimit,
        items.isEmpty || byteCount + pool[frame].byteCount <= configuration.writeBatchBytes
      else { break }
      byteCount += pool[frame].byteCount
      items.append(beginWrite(frame))
    }
    return items
  }

  /// The next batch of what a commit needs, in the queue's order, and whether nothing is left after it.
  mutating func beginRequiredBatch(_ required: [BlockKey]) -> (items: [BatchItem], isLast: Bool) {
    var markedCount = 0
    for key in required {
      var next: BlockKey? = key
      while let key = next, let frame = pool.find(key), pool[frame].state == .dirty, !pool[frame].isMarked {
        pool[frame].isMarked = true
        markedCount += 1
        next = pool.contents(of: frame)?.descriptor.map { BlockKey(space: key.space, hash: $0.parent) }
      }
    }
    guard markedCount > 0 else { return ([], true) }
    var items: [BatchItem] = []
    var byteCount = 0
    var isFull = false
    for frame in dirtyQueue where pool[frame].isMarked {
      pool[frame].isMarked = false
      isFull = isFull || (!items.isEmpty && byteCount + pool[frame].byteCount > configuration.writeBatchBytes)
      guard !isFull else { continue }
      byteCount += pool[frame].byteCount
      items.append(beginWrite(frame))
    }
    return (items, items.count == markedCount)
  }

  private mutating func beginWrite(_ frame: FrameIndex) -> BatchItem {
    pool.beginWrite(frame)
    guard let contents = pool.contents(of: frame), let descriptor = contents.descriptor else {
      preconditionFailure("a dirty block has a descriptor")
    }
    return BatchItem(
      frame: frame, memory: pool.memory(of: frame), descriptor: descriptor, layout: contents.layout,
      lastUse: pool[frame].lastUse, replacesDamaged: damagedKeys.contains(descriptor.key))
  }

  /// Takes up items again that a failed batch left dirty.
  mutating func resumeBatch(_ items: [BatchItem]) -> [BatchItem] {
    items.map { beginWrite($0.frame) }
  }

  mutating func abandonBatch(_ items: [BatchItem]) {
    for item in items { pool.abandonWrite(item.frame) }
    counters.failedBatches += 1
    writer.noteFailure(idleMilliseconds: configuration.idleWriteBackMilliseconds)
  }

  mutating func settleBatch(_ items: [BatchItem], _ writes: [ColdBatch.Write], _ commit: ColdCommit) {
    for ((item, write), outcome) in zip(zip(items, writes), commit.writes) {
      switch outcome {
      case .stored, .alreadyStored:
        pool.finishWrite(item.frame, isStored: true)
        damagedKeys.remove(item.descriptor.key)
        guard outcome == .stored else { continue }
        counters.writeBacks += 1
        counters.bytesWritten += UInt64(write.frame.bytes.count)
      case .orphaned:
        settleOrphan(item)
      }
    }
    dirtyQueue.removeAll { pool[$0].state == .clean }
    counters.batches += 1
    counters.quotaDeletions += UInt64(commit.deletedBlockCount)
    for case .done in commit.operations { counters.commits += 1 }
    writer.noteSuccess()
  }

  /// The block's parent is not stored. Where it is in RAM and can be written, it goes first next time, and its
  /// ancestors before it, for they may be lost as well. Else the block is dropped: without its parent it could never be
  /// found again.
  private mutating func settleOrphan(_ item: BatchItem) {
    let parentKey = BlockKey(space: item.descriptor.key.space, hash: item.descriptor.parent)
    if let parent = pool.findReadable(parentKey) {
      if pool[parent].state != .clean {
        pool.abandonWrite(item.frame)
        dirtyQueue.removeAll { $0 == item.frame }
        dirtyQueue.append(item.frame)
        return
      }
      let revived = reviveAncestors(from: parentKey)
      if !revived.isEmpty {
        pool.abandonWrite(item.frame)
        dirtyQueue.insert(contentsOf: revived, at: 0)
        return
      }
    }
    pool.finishWrite(item.frame, isStored: false)
    counters.dropped += 1
  }

  /// Makes a block and those before it dirty, as far as they were thought stored and are in RAM. Root first.
  private mutating func reviveAncestors(from key: BlockKey) -> [FrameIndex] {
    var revived: [FrameIndex] = []
    var next = key
    while let frame = pool.findReadable(next), pool[frame].state == .clean, pool[frame].isStored,
      let descriptor = pool.contents(of: frame)?.descriptor
    {
      pool.makeDirty(frame, descriptor: descriptor)
      revived.append(frame)
      next = BlockKey(space: next.space, hash: descriptor.parent)
    }
    return revived.reversed()
  }

  /// The quota is full of sessions: cache blocks of a refused batch stay in RAM only. Items that are kept are still
  /// dirty.
  mutating func dropUnprotected(_ items: [BatchItem]) -> (kept: [BatchItem], droppedCount: Int) {
    var kept: [BatchItem] = []
    var neededKeys: Set<BlockKey> = []
    // Children come after their parents: backwards, a parent is known to be needed before its turn.
    for item in items.reversed() {
      let key = item.descriptor.key
      if protections[key] != nil || neededKeys.contains(key) {
        kept.append(item)
        neededKeys.insert(BlockKey(space: key.space, hash: item.descriptor.parent))
      } else {
        pool.beginWrite(item.frame)
        pool.finishWrite(item.frame, isStored: false)
      }
    }
    dirtyQueue.removeAll { pool[$0].state == .clean }
    let droppedCount = items.count - kept.count
    counters.dropped += UInt64(droppedCount)
    return (kept.reversed(), droppedCount)
  }
}
