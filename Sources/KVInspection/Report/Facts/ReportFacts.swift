import KVBlocks
import KVDiskTier

/// All that a report says about a store. Of a damaged one, what can be told: the rest is nil.
package struct ReportFacts: Sendable {
  package var options: ReportOptions
  package var info: StoreInfo
  package var verify: VerifyReport
  package var contents: Contents?

  /// What only a store that opens tells.
  package struct Contents: Sendable {
    package var file: FileComposition?
    package var sessions: SessionRanking
    package var sharing: SharedPrefixes
    package var planes: [PlaneCompression]
    package var use: BlockUse
    package var tree: PrefixTree
  }

  package var path: String { info.path }
  package var nowMicroseconds: UInt64 { options.nowMicroseconds }
  package var statistics: StoreStatistics? { info.contents?.statistics }
}
