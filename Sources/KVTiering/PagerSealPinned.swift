import KVBlocks
import KVMemoryTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The way in for who goes on reading the block: nothing is given away before it is known what stands for it.
extension Pager {
  /// As ``seal(_:as:layout:)``, with the block pinned. What the store has stands for these rows only when it was read:
  /// where that is damaged, or gone, this frame becomes the block.
  ///
  /// Needs no frame beside this one. Where another one holds the block, this one is open still, to be dropped. Where
  /// this throws it is open as well, its rows are as they were, and nothing has changed.
  ///
  /// - Throws: a load's error.
  package func sealPinned(
    _ frame: inout OpenFrame, as descriptor: BlockDescriptor, layout: BlockLayout
  ) throws(StoreError) -> PinnedBlocks {
    precondition(descriptor.tokens.count <= layout.blockTokenCount, "a block holds no more tokens than its layout says")
    precondition(frame.bytes.count == layout.frameByteCount, "the frame was opened for another layout")
    while true {
      if try isListed(descriptor.key) {
        do throws(StoreError) {
          let pinned = try pin([descriptor.key], layout: layout)
          if pinned.count == 1 {
            core.state.withLock { $0.counters.shared += 1 }
            return pinned
          }
        } catch {
          guard error.code == .poolExhausted else { throw error }
          if try readStored(descriptor.key, layout, into: &frame, otherwise: error),
            let pinned = publish(&frame, { settleStored($0, descriptor, layout, $1) })
          {
            return pinned
          }
        }
      }
      if let pinned = publish(&frame, { settleNew($0, descriptor, layout, pinning: $1) }) { return pinned }
    }
  }

  /// Whether the block is in RAM, or about to be, or on disk and not known to be damaged there.
  private func isListed(_ key: BlockKey) throws(StoreError) -> Bool {
    core.awaitDeletion(of: key)
    let (isInTable, isDamaged) = try core.state.withLock { state throws(StoreError) -> (Bool, Bool) in
      try state.checkOpen()
      return (state.pool.find(key) != nil, state.damagedKeys.contains(key))
    }
    if isInTable || isDamaged { return isInTable }
    return try core.cold.contains(key)
  }

  /// Enters the frame into the table with a pin; nil where `settle` finds the block there already.
  private func publish(
    _ frame: inout OpenFrame, _ settle: (FrameIndex, PinnedEntries) -> Bool
  ) -> PinnedBlocks? {
    let entries = PinnedEntries(count: 1)
    guard settle(frame.frame, entries) else {
      entries.deallocate()
      return nil
    }
    _ = frame.handOver()
    core.noteActivity()
    return PinnedBlocks(pager: self, entries: entries, count: 1)
  }

  /// Puts the stored block's rows into `frame`, all of them or none: false for a miss. All frames are in use, so they
  /// are read beside the RAM budget.
  private func readStored(
    _ key: BlockKey, _ layout: BlockLayout, into frame: inout OpenFrame, otherwise exhausted: StoreError
  ) throws(StoreError) -> Bool {
    guard let memory = malloc(layout.frameByteCount) else { throw exhausted }
    defer { free(memory) }
    let rows = UnsafeMutableRawBufferPointer(start: memory, count: layout.frameByteCount)
    let outcome = try core.cold.load(key, layout: layout, into: rows)
    guard case .loaded(let tokenCount) = outcome else {
      core.state.withLock { state in
        if case .damaged = outcome { state.noteDamage(key) }
        state.counters.misses += 1
      }
      return false
    }
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
      UnsafeMutableRawBufferPointer(rebasing: frame.bytes[range])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: rows[range]))
    }
    return true
  }

  /// The frame holds the stored block's rows, as if it had been loaded into it; false where another one does.
  private func settleStored(
    _ frame: FrameIndex, _ descriptor: BlockDescriptor, _ layout: BlockLayout, _ entries: PinnedEntries
  ) -> Bool {
    let key = descriptor.key
    return core.state.withLock { state in
      guard state.pool.find(key) == nil else { return false }
      state.pool.beginLoad(frame, key: key, layout: layout)
      state.pool.finishLoad(frame, tokenCount: descriptor.tokens.count)
      state.pool.pin(frame)
      _ = state.fill(&entries[0], frame)
      state.counters.loads += 1
      state.counters.diskHits += 1
      state.counters.shared += 1
      state.touch([key.hash], in: key.space, usesFrames: false, isHit: false)
      return true
    }
  }
}
