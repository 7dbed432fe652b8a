import KVDiskTier
import KVPager
import KVSimulation
import KVTiering

/// A disk tier that lets a test answer, or watch, each question whether a block must stay.
final class OverheardColdTier: ColdTier {
  private let inner: any ColdTier
  private let answer: @Sendable (BlockKey, Bool) -> Bool

  /// - Parameter answer: gets a block and the pager's answer, on the writer thread inside a commit, and gives its own.
  init(_ inner: any ColdTier, answer: @escaping @Sendable (BlockKey, Bool) -> Bool) {
    self.inner = inner
    self.answer = answer
  }

  /// Deletions that ask nobody, as another process's would not ask this one.
  static func unasked(_ inner: any ColdTier) -> OverheardColdTier { OverheardColdTier(inner) { _, _ in false } }

  func storedPrefixCount(of hashes: [BlockHash], in space: SpaceID, known: Int) throws(StoreError) -> Int {
    try inner.storedPrefixCount(of: hashes, in: space, known: known)
  }

  func contains(_ key: BlockKey) throws(StoreError) -> Bool { try inner.contains(key) }

  func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    try inner.children(of: parent, in: space)
  }

  func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome { try inner.load(key, layout: layout, into: frame) }

  func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    try inner.loadPlane(key, layout: layout, plane: plane, rows: rows, into: destination)
  }

  func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame { try inner.encode(descriptor, layout: layout, frame: frame) }

  func commit(_ batch: ColdBatch, isProtected: (BlockKey) -> Bool) throws(StoreError) -> ColdCommit {
    try inner.commit(batch) { answer($0, isProtected($0)) }
  }
}

extension Rig {
  /// A store with something between the pager and the disk.
  func open(
    blocks: Int, quotaBytes: Int? = nil, wrapping wrap: (DiskTier) -> any ColdTier
  ) throws -> Store {
    var configuration = StoreConfiguration()
    configuration.memoryBudgetBytes = layout.frameByteCount * blocks
    configuration.diskQuotaBytes = quotaBytes
    configuration.mapSizeBytes = 1 << 34
    configuration.logger.logLevel = .critical
    return try Store(at: path, configuration: configuration, wrapping: wrap)
  }
}
