import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Everything that is wrong with the store. A damaged one is an answer, not an error.
  /// - Parameter deep: reads and decodes every frame too.
  /// - Throws: where there is nothing to verify: `notFound`, `permissionDenied`, `inputOutput`, `foreignByteOrder`,
  ///   `versionTooNew`, `busy`; `notAStore` where the file holds no trace of one.
  package func verify(deep: Bool = false) throws(StoreError) -> VerifyReport {
    var report = VerifyReport(path: path, isDeep: deep, file: nil, findings: [], salvageable: nil)
    do throws(StoreError) {
      let file = try LMDBFileGuard.inspect(path: path, deep: deep)
      report.file = file
      if file.isUnsettled, let error = LMDBFileGuard.refusal(file, path: path) { throw error }
      report.findings = file.findings.map { VerifyFinding(kind: "file", message: $0.description) }
      if file.isTrustworthy {
        report.findings += try withTier { (tier) throws(StoreError) in try tier.audit(deep: deep) }
          .map { VerifyFinding(kind: $0.kind.rawValue, block: $0.block, session: $0.session, message: $0.description) }
        return report
      }
    } catch {
      guard error.code == .damaged || error.code == .notAStore else { throw error }
      report.findings.append(VerifyFinding(kind: "file", message: error.description))
      let raw = try RawStoreScan.scan(path: path)
      // Somebody else's file is no damaged store.
      if error.code == .notAStore, raw.extentCount == 0, raw.sessions.isEmpty { throw error }
      report.salvageable = raw
      return report
    }
    report.salvageable = try RawStoreScan.scan(path: path)
    return report
  }
}
