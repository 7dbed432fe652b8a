import KVBlocks
import KVTiering

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A disk tier that fails as told or by seeded chance, is slow, or finds its frames damaged. It never lies.
package final class FaultyColdTier: ColdTier {
  package struct Faults: Sendable {
    /// Shares of the calls that fail, 0 to 1.
    package var commitFailureShare = 0.0
    package var loadFailureShare = 0.0
    package var encodeFailureShare = 0.0
    /// Share of the loads that find their block damaged, for ever after or until it is rewritten.
    package var damageShare = 0.0
    /// The largest delay of a load or commit, drawn evenly.
    package var delayMicroseconds: UInt32 = 0

    package init() {}
  }

  fileprivate struct Script {
    var faults: Faults
    var generator: SplitMix64
    var commitErrors: [StoreError] = []
    var loadErrors: [StoreError] = []
    var encodeErrors: [StoreError] = []
    var damagedKeys: Set<BlockKey> = []
  }

  private let inner: any ColdTier
  private let script: Lock<Script>
  private let beforeLoad: @Sendable (BlockKey) -> Void
  private let beforeCommit: @Sendable () -> Void

  /// - Parameters:
  ///   - beforeLoad: runs first in each load of a block, on its thread; a test may block there.
  ///   - beforeCommit: likewise for commits.
  package init(
    _ inner: any ColdTier, seed: UInt64 = 0, faults: Faults = Faults(),
    beforeLoad: @escaping @Sendable (BlockKey) -> Void = { _ in }, beforeCommit: @escaping @Sendable () -> Void = {}
  ) {
    self.inner = inner
    script = Lock(Script(faults: faults, generator: SplitMix64(seed: seed)))
    self.beforeLoad = beforeLoad
    self.beforeCommit = beforeCommit
  }

  package var faults: Faults {
    get { script.withLock { $0.faults } }
    set { script.withLock { $0.faults = newValue } }
  }

  package var damagedKeys: Set<BlockKey> { script.withLock { $0.damagedKeys } }

  /// The next commits fail with these errors, one each.
  package func failCommits(with errors: [StoreError]) { script.withLock { $0.commitErrors += errors } }
  package func failLoads(with errors: [StoreError]) { script.withLock { $0.loadErrors += errors } }
  package func failEncodes(with errors: [StoreError]) { script.withLock { $0.encodeErrors += errors } }
  /// These blocks' frames are damaged until they are rewritten.
  package func damage(_ keys: [BlockKey]) { script.withLock { $0.damagedKeys.formUnion(keys) } }

  // MARK: ColdTier

  package func storedPrefixCount(
    of hashes: [BlockHash], in space: SpaceID, known: Int
  ) throws(StoreError) -> Int { try inner.storedPrefixCount(of: hashes, in: space, known: known) }

  package func contains(_ key: BlockKey) throws(StoreError) -> Bool { try inner.contains(key) }

  package func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    try inner.children(of: parent, in: space)
  }

  package func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    beforeLoad(key)
    if let outcome = try loadFault(key) {
      // What a failed load leaves in the frame is anybody's guess.
      frame.initializeMemory(as: UInt8.self, repeating: 0xdb)
      return outcome
    }
    return try inner.load(key, layout: layout, into: frame)
  }

  package func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    if let outcome = try loadFault(key) { return outcome }
    return try inner.loadPlane(key, layout: layout, plane: plane, rows: rows, into: destination)
  }

  package func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame {
    let error = script.withLock { script -> StoreError? in
      if !script.encodeErrors.isEmpty { return script.encodeErrors.removeFirst() }
      return script.generator.chance(script.faults.encodeFailureShare) ? Self.injected("encode") : nil
    }
    if let error { throw error }
    return try inner.encode(descriptor, layout: layout, frame: frame)
  }

  package func commit(
    _ batch: ColdBatch, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit {
    beforeCommit()
    let (error, delay) = script.withLock { script -> (StoreError?, UInt32) in
      let delay = script.delay()
      if !script.commitErrors.isEmpty { return (script.commitErrors.removeFirst(), delay) }
      return (script.generator.chance(script.faults.commitFailureShare) ? Self.injected("commit") : nil, delay)
    }
    if delay > 0 { usleep(delay) }
    if let error { throw error }
    let result = try inner.commit(batch, isProtected: isProtected)
    script.withLock { script in
      for (write, outcome) in zip(batch.writes, result.writes) where outcome == .stored {
        script.damagedKeys.remove(write.frame.descriptor.key)
      }
    }
    return result
  }

  private func loadFault(_ key: BlockKey) throws(StoreError) -> LoadOutcome? {
    let stored = try inner.contains(key)
    let (result, delay) = script.withLock { script -> (Result<LoadOutcome?, StoreError>, UInt32) in
      let delay = script.delay()
      if !script.loadErrors.isEmpty { return (.failure(script.loadErrors.removeFirst()), delay) }
      if script.generator.chance(script.faults.loadFailureShare) { return (.failure(Self.injected("load")), delay) }
      if stored, script.generator.chance(script.faults.damageShare) { script.damagedKeys.insert(key) }
      let isDamaged = stored && script.damagedKeys.contains(key)
      return (.success(isDamaged ? .damaged("an injected fault") : nil), delay)
    }
    if delay > 0 { usleep(delay) }
    return try result.get()
  }

  private static func injected(_ what: String) -> StoreError {
    StoreError(.inputOutput, "an injected fault of \(what); try again")
  }
}

extension FaultyColdTier.Script {
  fileprivate mutating func delay() -> UInt32 {
    faults.delayMicroseconds == 0 ? 0 : UInt32(generator.next() % UInt64(faults.delayMicroseconds))
  }
}
