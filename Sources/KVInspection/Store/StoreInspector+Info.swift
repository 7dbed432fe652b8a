import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// What the store is: versions, spaces, sizes, and what the guard says of its file. A store that the guard refuses
  /// has facts about its file alone.
  /// - Throws: `notFound`, `permissionDenied`, `inputOutput`; `foreignByteOrder`, `versionTooNew`, `notAStore`.
  package func info(
    nowMicroseconds: UInt64 = StoreClock.microseconds(), quotaByteCount: Int? = nil
  ) throws(StoreError) -> StoreInfo {
    let file: LMDBFileReport
    do throws(StoreError) {
      file = try LMDBFileGuard.inspect(path: path)
    } catch  where error.code == .damaged {
      return StoreInfo(path: path, file: nil, refusal: error.description, contents: nil)
    }
    if let refusal = LMDBFileGuard.refusal(file, path: path) {
      return StoreInfo(path: path, file: file, refusal: refusal.description, contents: nil)
    }
    do throws(StoreError) {
      let contents = try withTier(file) { (tier) throws(StoreError) in
        StoreInfo.Contents(
          formatVersion: Int(tier.header.formatVersion), storeID: Hex.string(of: tier.header.storeID),
          createdMicroseconds: tier.header.createdMicroseconds,
          statistics: try Self.statistics(tier, file, .records, nowMicroseconds))
      }
      return StoreInfo(path: path, file: file, refusal: nil, contents: contents)
    } catch  where error.code == .damaged {
      return StoreInfo(path: path, file: file, refusal: error.description, contents: nil)
    }
  }
}
