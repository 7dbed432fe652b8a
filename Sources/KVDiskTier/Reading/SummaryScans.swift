import KVBlocks
import SafeLMDB

/// Counts and summaries for the inspector, without what has no fixed size.
extension DiskTier {
  /// Blocks in the table, as LMDB counts them.
  package func storedBlockCount() throws(StoreError) -> Int {
    try environment.read { (transaction) throws(StoreError) in try transaction.size(of: tables.blocks).entryCount }
  }

  /// Blocks that no session holds.
  package func deletableBlockCount() throws(StoreError) -> Int {
    try environment.read { (transaction) throws(StoreError) in try transaction.size(of: tables.recency).entryCount }
  }

  /// Bytes of the file, and those of its pages in use: the rest waits to be used again.
  package func fileSize() throws(StoreError) -> (byteCount: Int, usedByteCount: Int) {
    let used = try environment.read { (transaction) throws(StoreError) in
      try tables.usedPageCount(transaction) * environment.pageByteCount
    }
    do { return (try environment.fileByteCount(), used) } catch { throw StoreError(error) }
  }

  /// Visits all sessions' summaries, by space and name, until `body` answers false. Bodies that lie apart are not read.
  /// - Parameter damaged: is told the names of sessions whose record cannot be read, "?" where the name cannot.
  @discardableResult
  package func scanSessionSummaries(
    damaged: (String, StoreError) -> Void = { _, _ in }, _ body: (SessionSummary) throws(StoreError) -> Bool
  ) throws(StoreError) -> ScanOutcome {
    try scan(tables.sessions, limit: Self.scanRecordLimit) { (_, bytes, value, _) throws(StoreError) in
      let key = Keys.session(of: bytes)
      let summary: SessionSummary
      do throws(StoreError) {
        guard let key else { throw .damagedRecord("session", "its key is no space and name") }
        summary = try SessionFormat.decode(value, space: key.space, name: key.name).summary
      } catch  where error.code == .damaged {
        damaged(key?.name ?? "?", error)
        return true
      }
      return try body(summary)
    }
  }
}
