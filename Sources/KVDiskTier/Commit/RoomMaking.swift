import KVBlocks
import SafeLMDB

/// Cache gives way to what is to be stored where the disk or the map is full, as it does where the quota is.
extension DiskTier {
  /// Deletes blocks that no session refers to, least recently used first, until `pageCount` pages have room.
  /// - Returns: blocks deleted; nil, with nothing done, where deleting them all would not make the room.
  func makeRoom(
    pageCount: Int, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> Int? {
    let limit = try filePageLimit()
    // The frames are deleted whole and by the run, and the tree pages are written anew.
    let wanted = pageCount + pageCount / 16 + 64
    struct NoRoom: LMDBErrorConvertible {
      let error: StoreError?
      init(_ error: LMDBError) { self.error = StoreError(error) }
      init(error: StoreError?) { self.error = error }
    }
    let deleted: Int
    do throws(NoRoom) {
      deleted = try environment.write { (transaction: inout WriteTransaction) throws(NoRoom) in
        do throws(StoreError) {
          let target = min(limit - wanted, try tables.usedPageCount(transaction) - 1)
          var keeper = QuotaKeeper(tables: tables, targetPageCount: max(target, 0))
          if try keeper.run(&transaction, isProtected: isProtected) { return keeper.deletedBlockCount }
        } catch {
          throw NoRoom(error: error)
        }
        throw NoRoom(error: nil)
      }
    } catch {
      if let error = error.error { throw error }
      return nil
    }
    try settle()
    return deleted
  }

  /// Pages that the file can have: the map's, or what it has and the disk adds.
  private func filePageLimit() throws(StoreError) -> Int {
    let info: EnvironmentInfo
    let fileByteCount: Int
    do throws(LMDBError) {
      info = try environment.info()
      fileByteCount = try environment.fileByteCount()
    } catch {
      throw StoreError(error)
    }
    let (most, overflow) = fileByteCount.addingReportingOverflow(environment.freeDiskByteCount() ?? 0)
    return min(info.mapByteCount, overflow ? .max : most) / environment.pageByteCount
  }

  /// LMDB uses freed pages two commits later: makes those commits, each of one page, so that the next one finds room.
  func settle() throws(StoreError) {
    for _ in 0..<2 {
      try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
        try transaction.write(StoreCounters.key, try tables.counters(transaction).encoded(), in: tables.meta)
      }
    }
  }
}
