import KVBlocks
import KVDiskTier

/// Tells what a damaged store's file still holds, and rebuilds a store from it. The damaged file is only read.
package struct StoreSalvager: Sendable {
  /// A data file of any name, or the folder of one.
  package let path: String

  package init(path: String) { self.path = path }

  /// What would come back.
  /// - Throws: `notFound`, `permissionDenied`, `inputOutput`; `notAStore` where the file holds no trace of a store.
  package func list(
    _ options: SalvageOptions = SalvageOptions(), progress: @escaping (SalvageProgress) -> Void = { _ in }
  ) throws(StoreError) -> RawStoreReport {
    let report = try RawStoreScan.scan(path: path, options: options, progress: progress).report
    guard report.isStore else { throw .nothingToSalvage(path) }
    return report
  }

  /// Rebuilds a store in the folder `newPath`, which must not exist or be empty.
  package func rebuild(
    at newPath: String, _ options: SalvageOptions = SalvageOptions(),
    progress: @escaping (SalvageProgress) -> Void = { _ in }
  ) throws(StoreError) -> RawStoreReport {
    try StoreSalvage.run(from: path, to: newPath, options: options, progress: progress)
  }
}

/// The words of a salvage, for those who do not see the disk tier.
package typealias SalvageReport = RawStoreReport
package typealias SalvageOptions = KVDiskTier.SalvageOptions
package typealias SalvageProgress = KVDiskTier.SalvageProgress
