import KVBlocks
import SafeLMDB

/// What `collectGarbage` did.
package struct GarbageReport: Hashable, Sendable {
  package var expiredSessionCount = 0
  package var deletedBlockCount = 0
  /// Blocks whose parent is not stored, deleted.
  package var orphanedBlockCount = 0
  /// Extents that belonged to no frame, deleted.
  package var orphanedExtentCount = 0
  /// Pages in use before, less pages in use after, in bytes.
  package var freedBytes = 0

  package init() {}
}

extension DiskTier {
  /// Blocks and extents deleted in one transaction: keeps each short for other writers.
  static let garbageBatchCount = 2048

  /// Deletes sessions that have expired, blocks over the quota, and what damage has orphaned. On the writer thread.
  package func collectGarbage(
    nowMicroseconds: UInt64, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> GarbageReport {
    guard !options.isReadOnly else { throw .readOnlyStore }
    var report = GarbageReport()
    environment.clearStaleReaders()
    var freedPageCount = 0
    report.expiredSessionCount = try deleteExpiredSessions(nowMicroseconds, &freedPageCount)
    report.orphanedBlockCount = try deleteOrphanedBlocks(isProtected, &freedPageCount)
    report.orphanedExtentCount = try deleteOrphanedExtents(&freedPageCount)
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

  /// Blocks whose parent is gone can never be reached: only damage makes them.
  private func deleteOrphanedBlocks(
    _ isProtected: (BlockKey) -> Bool, _ freedPageCount: inout Int
  ) throws(StoreError) -> Int {
    let orphans = try environment.read { (transaction) throws(StoreError) in
      try tables.orphanedBlocks(transaction)
    }
    guard !orphans.isEmpty else { return 0 }
    return try freeing(&freedPageCount) { (transaction: inout WriteTransaction) throws(StoreError) in
      var keeper = QuotaKeeper(tables: tables, targetPageCount: 0)
      for key in try tables.orphanedBlocks(transaction) {
        try keeper.delete(key, lastUse: 0, &transaction, isProtected)
      }
      return keeper.deletedBlockCount
    }
  }

  /// Extents of frames that nothing refers to. A frame id is never given twice, so what a snapshot shows as orphaned
  /// stays so.
  private func deleteOrphanedExtents(_ freedPageCount: inout Int) throws(StoreError) -> Int {
    let orphans = try environment.read { (transaction) throws(StoreError) in
      try tables.orphanedExtents(transaction)
    }
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

extension Tables {
  /// Readable blocks whose parent is neither stored nor their space's root.
  func orphanedBlocks(_ transaction: borrowing some TableReading & ~Copyable) throws(StoreError) -> [BlockKey] {
    var roots: [SpaceID: BlockHash] = [:]
    for space in try allSpaces(transaction) { roots[space.id] = space.root }
    var orphans: [BlockKey] = []
    var parents: [(BlockKey, BlockKey)] = []
    try transaction.forEach(in: blocks) { (bytes, value) throws(StoreError) in
      guard let key = Keys.block(of: bytes) else { return true }
      do throws(StoreError) {
        let parent = try BlockFormat.decodeHead(value).parent
        if parent != roots[key.space] { parents.append((key, BlockKey(space: key.space, hash: parent))) }
      } catch  where error.code == .damaged {
        return true
      }
      return true
    }
    for (key, parent) in parents where try !holdsBlock(parent, transaction) { orphans.append(key) }
    return orphans
  }

  /// Extents of frames that no block, checkpoint or session body is in. None at all where a record cannot be read: the
  /// extents might be its frame's.
  func orphanedExtents(
    _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> [(frame: UInt64, piece: Int)] {
    var known: Set<UInt64> = []
    do throws(StoreError) {
      try transaction.forEach(in: blocks) { (_, value) throws(StoreError) in
        known.insert(try BlockFormat.decodeHead(value).frame.id)
        return true
      }
      var damage: StoreError?
      for (summary, _) in try allSessions(transaction, damaged: { damage = $1 }) {
        known.insert(summary.body.id)
        if let checkpoint = summary.checkpoint { known.insert(checkpoint.frame.id) }
      }
      if let damage { throw damage }
    } catch  where error.code == .damaged {
      return []
    }
    var orphans: [(frame: UInt64, piece: Int)] = []
    try transaction.forEach(in: extents) { (bytes, _) throws(StoreError) in
      if let extent = Keys.extent(of: bytes), !known.contains(extent.frame) { orphans.append(extent) }
      return true
    }
    return orphans
  }
}
