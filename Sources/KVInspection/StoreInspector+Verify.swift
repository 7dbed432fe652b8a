import KVBlocks
import KVDiskTier

/// Something wrong with a store.
package struct VerifyFinding: Hashable, Sendable, CustomStringConvertible {
  /// What found it, and what kind of thing it is: `file` for LMDB's own structure, else a kind of the audit.
  package var kind: String
  package var block: BlockKey?
  package var session: String?
  package var message: String

  package var description: String { message }
}

/// What `verify` says of a store.
package struct VerifyReport: Hashable, Sendable {
  package var path: String
  package var isDeep: Bool
  /// The guard's report; nil where the file's meta pages cannot be followed.
  package var file: LMDBFileReport?
  package var findings: [VerifyFinding]
  /// What the file's raw bytes still hold, where the store does not open.
  package var salvageable: RawStoreReport?

  package var isSound: Bool { findings.isEmpty }
  /// The store opens: what is wrong concerns single blocks and sessions.
  package var isUsable: Bool { salvageable == nil }
}

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
