import KVBlocks
import SafeLMDB

/// What `collectGarbage` did.
package struct GarbageReport: Hashable, Sendable {
  package var expiredSessionCount = 0
  package var deletedBlockCount = 0
  /// Extents that belonged to no frame, deleted.
  package var orphanedExtentCount = 0
  /// Extents of frames whose blocks or sessions have lost their records: left for a repair to bring them back from.
  package var keptExtentCount = 0
  /// Pages in use before, less pages in use after, in bytes.
  package var freedBytes = 0

  package init() {}
}

extension DiskTier {
  /// Blocks and extents deleted in one transaction: keeps each short for other writers.
  static let garbageBatchCount = 2048

  /// Deletes sessions that have expired, blocks over the quota, and extents that are nobody's, but for those that a
  /// repair may bring something back from. Blocks whose parent is lost stay, too: it may come back, or be computed
  /// again. On the writer thread.
  package func collectGarbage(
    nowMicroseconds: UInt64, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> GarbageReport {
    guard !options.isReadOnly else { throw .readOnlyStore }
    var report = GarbageReport()
    environment.clearStaleReaders()
    var freedPageCount = 0
    report.expiredSessionCount = try deleteExpiredSessions(nowMicroseconds, &freedPageCount)
    let orphans = try environment.read { (transaction) throws(StoreError) in
      try tables.orphanedFrames(TransactionView(transaction))
    }
    // Where a record cannot be read, nothing is known to be an orphan.
    if let orphans {
      report.orphanedExtentCount = try deleteExtents(orphans.waste, &freedPageCount)
      report.keptExtentCount = orphans.keptExtentCount
    }
    report.deletedBlockCount = try shrinkToQuota(isProtected, &freedPageCount)
    // Unreferenced blocks take a page of the recency table with them.
    report.freedBytes = max(freedPageCount, 0) * environment.pageByteCount
    if freedPageCount > 0 { try settle() }
    return report
  }

  /// A write transaction whose freed pages are counted in it: between two of ours other processes may write.
  private func freeing<R>(
    _ pageCount: inout Int, _ body: (inout WriteTransaction) throws(StoreError) -> R
  ) throws(StoreError) -> R {
    let (result, freed) = try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let before = try tables.usedPageCount(transaction)
      let result = try body(&transaction)
      return (result, before - (try tables.usedPageCount(transaction)))
    }
    pageCount += freed
    return result
  }

  private func deleteExpiredSessions(_ now: UInt64, _ freedPageCount: inout Int) throws(StoreError) -> Int {
    let expired = try sessionSummaries().contains { $0.isExpired(at: now) }
    guard expired else { return 0 }
    return try freeing(&freedPageCount) { (transaction: inout WriteTransaction) throws(StoreError) in
      var run = try CommitRun(tables: tables, nowMicroseconds: now, transaction)
      var count = 0
      for (summary, _) in try tables.allSessions(transaction) where summary.isExpired(at: now) {
        if case .done = try run.delete(summary.space, summary.name, &transaction) { count += 1 }
      }
      try run.finish(&transaction)
      return count
    }
  }

  private func shrinkToQuota(
    _ isProtected: (BlockKey) -> Bool, _ freedPageCount: inout Int
  ) throws(StoreError) -> Int {
    guard let quotaBytes = options.quotaBytes else { return 0 }
    var count = 0
    while true {
      let deleted = try freeing(&freedPageCount) { (transaction: inout WriteTransaction) throws(StoreError) in
        var keeper = QuotaKeeper(
          tables: tables, targetPageCount: quotaBytes / environment.pageByteCount,
          deletionLimit: Self.garbageBatchCount)
        _ = try keeper.run(&transaction, isProtected: isProtected)
        return keeper.deletedBlockCount
      }
      count += deleted
      if deleted < Self.garbageBatchCount { return count }
    }
  }

  /// Extents of frames that nothing refers to. A frame id is never given twice, so what a snapshot shows as orphaned
  /// stays so.
  private func deleteExtents(
    _ orphans: [(frame: UInt64, piece: Int)], _ freedPageCount: inout Int
  ) throws(StoreError) -> Int {
    var (start, deletedCount) = (0, 0)
    while start < orphans.count {
      let batch = orphans[start..<min(start + Self.garbageBatchCount, orphans.count)]
      deletedCount += try freeing(&freedPageCount) { (transaction: inout WriteTransaction) throws(StoreError) in
        var count = 0
        for extent in batch {
          if try tables.deleteExtent(frame: extent.frame, piece: extent.piece, &transaction) { count += 1 }
        }
        return count
      }
      start = batch.endIndex
    }
    return deletedCount
  }
}

extension SessionSummary {
  package func isExpired(at nowMicroseconds: UInt64) -> Bool {
    expiresMicroseconds.map { $0 <= nowMicroseconds } ?? false
  }
}
