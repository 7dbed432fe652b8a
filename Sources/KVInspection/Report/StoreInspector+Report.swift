import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Gathers what a report says. A damaged store is told of as far as it can be read.
  /// - Throws: where there is nothing to tell of: `notFound`, `permissionDenied`, `notAStore`, `versionTooNew`, ...
  package func reportFacts(_ options: ReportOptions) throws(StoreError) -> ReportFacts {
    let info = try info()
    let verify = try verify()
    var facts = ReportFacts(options: options, info: info, verify: verify, contents: nil)
    guard let contents = info.contents else { return facts }
    let sessions = try sessions()
    let tree = try tree(
      TreeOptions(depth: options.depth, width: ReportOptions.treeWidth, nodeLimit: ReportOptions.treeNodeLimit))
    let ranking = SessionRanking(sessions, limit: options.sessionLimit, nowMicroseconds: options.nowMicroseconds)
    facts.contents = try withTier { (tier) throws(StoreError) in
      let summaries = try tier.sessionSummaries()
      return ReportFacts.Contents(
        file: info.file.map {
          FileComposition(file: $0, frames: contents.statistics.compressedByteCount, sessions: summaries)
        },
        sessions: ranking,
        sharing: try SharedPrefixes(
          Array(ranking.top.prefix(ReportOptions.matrixLimit)), of: ranking.sessionCount, tier),
        planes: try PlaneCompression.all(contents.spaces, tier),
        use: try BlockUse(nowMicroseconds: options.nowMicroseconds, tier), tree: tree)
    }
    return facts
  }
}
