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

  func withTier<R>(_ body: (DiskTier) throws(StoreError) -> R) throws(StoreError) -> R {
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly))
    defer { tier.close() }
    return try body(tier)
  }
}
