import KVBlocks
import KVDiskTier

// Invariants:
// - `index` is made at most once, when as many blocks were looked up one by one as make it worth its scan.
// - Between two times that the map is given back, at most `releaseLimit` blocks and one session's are looked up in it.

/// What the store knows of blocks that sessions name: one by one for a few, by an index of all for many.
struct BlockLookup {
  private let tier: DiskTier
  private var index: BlockIndex?
  /// Look-ups until an index pays: a scan reads some thirty records in the time of one look-up.
  private var remainingCount: Int
  private var mappedCount = 0
  /// The system maps a look-up's page with its neighbours, 64 KiB.
  private static let releaseLimit = 256

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
      mappedCount += hashes.count
      defer { if mappedCount > Self.releaseLimit { releaseMap() } }
      for (offset, summary) in try tier.summaries(of: hashes, in: space).enumerated() {
        body(offset, summary.map(BlockIndex.entry))
      }
      return
    }
    for (offset, hash) in hashes.enumerated() {
      if let position = index.position(of: hash, in: space) {
        body(offset, index[position])
      } else {
        // Gone or damaged, or stored since the index was made.
        let summary = try tier.summaries(of: [hash], in: space).first ?? nil
        body(offset, summary.map(BlockIndex.entry))
      }
    }
  }

  private mutating func releaseMap() {
    tier.releaseMap()
    mappedCount = 0
  }
}
