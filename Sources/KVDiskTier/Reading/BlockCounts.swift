import KVBlocks
import SafeLMDB

extension DiskTier {
  /// Blocks stored, as the table itself counts them: nothing is read. A damaged file may lie, but no further than its
  /// own size allows.
  package func storedBlockCount() throws(StoreError) -> Int {
    let leastRecordByteCount = 128
    let count = try environment.read { (transaction) throws(StoreError) in
      try transaction.size(of: tables.blocks).entryCount
    }
    do { return min(count, try environment.fileByteCount() / leastRecordByteCount) } catch { throw StoreError(error) }
  }
}
