import KVBlocks
import KVDiskTier

/// Reads a store without opening it for use, also a damaged one. Never writes to its data.
///
/// Each call opens the store for reading and closes it again, so that an inspector pins nothing between calls. LMDB
/// keeps its list of readers in `lock.mdb`; on a medium that cannot be written it reads without.
package struct StoreInspector: Sendable {
  /// The store's directory.
  package let path: String

  package init(path: String) { self.path = path }

  /// As ``withTier(_:)``, with the guard's report, which costs a walk through the file's trees: no second one is made.
  func withGuardedTier<R>(_ body: (DiskTier, LMDBFileReport) throws(StoreError) -> R) throws(StoreError) -> R {
    let report = try LMDBFileGuard.inspect(path: path)
    return try withTier(report) { (tier) throws(StoreError) in try body(tier, report) }
  }

  func withTier<R>(_ body: (DiskTier) throws(StoreError) -> R) throws(StoreError) -> R {
    try withTier(nil, body)
  }

  /// - Parameter report: what the guard said of the file just now; nil: it is asked.
  func withTier<R>(
    _ report: LMDBFileReport?, _ body: (DiskTier) throws(StoreError) -> R
  ) throws(StoreError) -> R {
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly), guarded: report)
    defer { tier.close() }
    return try body(tier)
  }
}
