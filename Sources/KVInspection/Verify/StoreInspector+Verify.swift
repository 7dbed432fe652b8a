import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Everything that is wrong with the store. A damaged one is an answer, not an error. Others may use it meanwhile.
  /// - Parameters:
  ///   - deep: reads and decodes every frame too.
  ///   - progress: called on this thread, again and again.
  /// - Throws: where there is nothing to verify: `notFound`, `permissionDenied`, `inputOutput`, `foreignByteOrder`,
  ///   `versionTooNew`, `busy`; `notAStore` where the file holds no trace of one.
  package func verify(
    deep: Bool = false, progress: @escaping (VerifyProgress) -> Void = { _ in }
  ) throws(StoreError) -> VerifyReport {
    var report = VerifyReport(path: path, isDeep: deep, file: nil, findings: [], salvageable: nil)
    do throws(StoreError) {
      let file = try guarded(deep: deep)
      report.file = file
      if file.isUnsettled, let error = LMDBFileGuard.refusal(file, path: path) { throw error }
      report.add(fileFindings: file.findings.map(\.description))
      if file.isTrustworthy {
        try withTier(file) { (tier) throws(StoreError) in
          report.isLocked = tier.isLocked
          let audit = try tier.audit(deep: deep, findingLimit: VerifyReport.findingLimit) {
            progress(VerifyProgress(doneByteCount: $0.doneByteCount, totalByteCount: $0.totalByteCount))
          }
          report.add(audit)
          report.addLostPages(file)
        }
        return report
      }
    } catch {
      guard error.code == .damaged || error.code == .notAStore else { throw error }
      report.add(fileFindings: [error.description])
      let raw = try RawStoreScan.scan(path: path)
      // Somebody else's file is no damaged store.
      if error.code == .notAStore, raw.extentCount == 0, raw.sessions.isEmpty { throw error }
      report.salvageable = raw
      return report
    }
    report.salvageable = try RawStoreScan.scan(path: path)
    return report
  }

  /// The guard's look at the file. A deep one reads the headers of extents with their frames, so that the guard need
  /// not; other tables have values of whole pages only where blocks are very long.
  private func guarded(deep: Bool) throws(StoreError) -> LMDBFileReport {
    let file = try LMDBFileGuard.inspect(path: path)
    let hasLongRecords = file.tables.contains {
      $0.overflowPageCount > 0 && $0.name != "extents" && $0.name != LMDBFileReport.freeTableName
    }
    guard deep, file.isTrustworthy, hasLongRecords else { return file }
    return try LMDBFileGuard.inspect(path: path, deep: true)
  }
}
