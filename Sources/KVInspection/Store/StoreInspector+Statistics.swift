import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Counts of the whole store.
  package func statistics() throws(StoreError) -> StoreStatistics {
    try withTier { (tier) throws(StoreError) in StoreStatistics(try tier.statistics()) }
  }
}
