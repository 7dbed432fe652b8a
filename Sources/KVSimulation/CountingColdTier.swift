import KVBlocks
import KVDiskTier
import KVPager
import KVTiering

/// A disk tier that counts what is asked of it.
package final class CountingColdTier: ColdTier {
  package struct Calls: Hashable, Sendable {
    /// Questions whether blocks are stored, and which follow one.
    package var lookups = 0
    package var loads = 0
    /// Planes of blocks.
    package var planeReads = 0
    package var encodes = 0
    package var commits = 0

    package init(lookups: Int = 0, loads: Int = 0, planeReads: Int = 0) {
      self.lookups = lookups
      self.loads = loads
      self.planeReads = planeReads
    }
  }

  private let inner: any ColdTier
  private let counted = Lock(Calls())

  package init(_ inner: any ColdTier) { self.inner = inner }

  /// The calls since the last time that they were taken.
  package func take() -> Calls {
    counted.withLock { calls in
      defer { calls = Calls() }
      return calls
    }
  }

  package func storedPrefixCount(of hashes: [BlockHash], in space: SpaceID, known: Int) throws(StoreError) -> Int {
    counted.withLock { $0.lookups += 1 }
    return try inner.storedPrefixCount(of: hashes, in: space, known: known)
  }

  package func contains(_ key: BlockKey) throws(StoreError) -> Bool {
    counted.withLock { $0.lookups += 1 }
    return try inner.contains(key)
  }

  package func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    counted.withLock { $0.lookups += 1 }
    return try inner.children(of: parent, in: space)
  }

  package func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    counted.withLock { $0.loads += 1 }
    return try inner.load(key, layout: layout, into: frame)
  }

  package func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    counted.withLock { $0.planeReads += 1 }
    return try inner.loadPlane(key, layout: layout, plane: plane, rows: rows, into: destination)
  }

  package func loadRows(
    of blocks: ArraySlice<BlockRows>, layout: BlockLayout, into destinations: [PlaneDestination]
  ) throws(StoreError) -> [LoadOutcome] {
    counted.withLock { $0.planeReads += blocks.count * destinations.count }
    return try inner.loadRows(of: blocks, layout: layout, into: destinations)
  }

  package func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame {
    counted.withLock { $0.encodes += 1 }
    return try inner.encode(descriptor, layout: layout, frame: frame)
  }

  package func commit(_ batch: ColdBatch, isProtected: (BlockKey) -> Bool) throws(StoreError) -> ColdCommit {
    counted.withLock { $0.commits += 1 }
    return try inner.commit(batch, isProtected: isProtected)
  }
}

extension Rig {
  /// A store of `blocks` frames of RAM, and what it asks of its disk tier.
  package func openCounted(blocks: Int) throws -> (store: Store, calls: CountingColdTier) {
    var configuration = StoreConfiguration(memoryBudgetBytes: layout.frameByteCount * blocks, mapSizeBytes: 1 << 34)
    configuration.logger.logLevel = .critical
    let tier = Lock<CountingColdTier?>(nil)
    let store = try Store(at: path, configuration: configuration) { disk in
      let counting = CountingColdTier(disk)
      tier.withLock { $0 = counting }
      return counting
    }
    guard let calls = tier.withLock({ $0 }) else { preconditionFailure("the store has wrapped its disk tier") }
    return (store, calls)
  }
}
