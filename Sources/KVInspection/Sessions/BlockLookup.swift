import KVBlocks
import KVDiskTier
import SafeLMDB

// Invariants: `index` is made at the beginning or never. Look-ups are asked for in the midst of other scans, whose
// transactions must not last as long as its own.

/// What the store knows of blocks that sessions name: one by one for a few, by an index of all for many.
struct BlockLookup {
  private let tier: DiskTier
  private let index: BlockIndex?
  private let pressure = MapPressure()

  /// - Parameter count: about how many blocks will be looked up.
  init(_ tier: DiskTier, count: Int) throws(StoreError) {
    self.tier = tier
    // From here on an index pays: a scan reads some thirty records in the time of one look-up.
    let paying = max(1024, try tier.storedBlockCount() / 32)
    index = count > paying ? try BlockIndex(tier) : nil
  }

  var hasIndex: Bool { index != nil }

  /// Visits the blocks of `hashes` in their order; nil for one that is not stored or whose record is damaged.
  func forEach(
    of hashes: [BlockHash], in space: SpaceID, _ body: (Int, BlockIndex.Entry?) -> Void
  ) throws(StoreError) {
    guard let index else {
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
