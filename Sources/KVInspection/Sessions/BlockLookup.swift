import KVBlocks
import KVDiskTier
import SafeLMDB

// Invariants: `index` is made at most once, when as many blocks were looked up one by one as make it worth its scan.

/// What the store knows of blocks that sessions name: one by one for a few, by an index of all for many.
struct BlockLookup {
  private let tier: DiskTier
  private var index: BlockIndex?
  /// Look-ups until an index pays: a scan reads some thirty records in the time of one look-up.
  private var remainingCount: Int
  private let pressure = MapPressure()

  init(_ tier: DiskTier) throws(StoreError) {
    self.tier = tier
    remainingCount = max(1024, try tier.storedBlockCount() / 32)
  }

  /// Visits the blocks of `hashes` in their order; nil for one that is not stored or whose record is damaged.
  mutating func forEach(
    of hashes: [BlockHash], in space: SpaceID, _ body: (Int, BlockIndex.Entry?) -> Void
  ) throws(StoreError) {
    if index == nil, hashes.count > remainingCount { index = try BlockIndex(tier) }
    guard let index else {
      remainingCount -= hashes.count
      for (offset, summary) in try tier.summaries(of: hashes, in: space, pressure).enumerated() {
        body(offset, summary.map(BlockIndex.entry))
      }
      return
    }
    for (offset, hash) in hashes.enumerated() {
      if let position = index.position(of: hash, in: space) {
        body(offset, index[position])
      } else {
        // Gone or damaged, or stored since the index was made.
        let summary = try tier.summaries(of: [hash], in: space, pressure).first ?? nil
        body(offset, summary.map(BlockIndex.entry))
      }
    }
  }
}
