import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Gathers what a report says. A damaged store is told of as far as it can be read.
  /// - Parameters:
  ///   - verified: as ``verify(deep:progress:)`` wants it.
  ///   - progress: told of each part before it is read.
  /// - Throws: where there is nothing to tell of: `notFound`, `permissionDenied`, `notAStore`, `versionTooNew`, ...
  package func reportFacts(
    _ options: ReportOptions, verified: @escaping (VerifyProgress) -> Void = { _ in },
    progress: (ReportPart) -> Void = { _ in }
  ) throws(StoreError) -> ReportFacts {
    progress(.records)
    let info = try info(detail: .standard, nowMicroseconds: options.nowMicroseconds)
    progress(.verify)
    var facts = ReportFacts(
      options: options, info: info, verify: try verify(progress: verified), activity: try activity())
    guard let contents = info.contents else { return facts }
    progress(.tree)
    let tree = try tree(
      TreeOptions(
        depth: options.depth, width: ReportOptions.treeWidth, foldShare: ReportOptions.treeFoldShare,
        nodeLimit: ReportOptions.treeNodeLimit,
        nameLimit: ReportOptions.treeNameLimit, wantsSessionText: true, text: options.text))
    progress(.sessions)
    let ranking = SessionRanking(
      try sessions(), limit: options.sessionLimit, nowMicroseconds: options.nowMicroseconds)
    facts.contents = try withTier(info.file) { (tier) throws(StoreError) in
      ReportFacts.Contents(
        file: FileComposition(contents.statistics), sessions: ranking,
        sharing: try SharedPrefixes(
          Array(ranking.top.prefix(ReportOptions.matrixLimit)), of: ranking.sessionCount, tier),
        tree: tree)
    }
    return facts
  }
}

/// What a report is gathered from, in this order.
package enum ReportPart: String, Sendable, CaseIterable {
  case records = "reading records"
  case verify = "checking records"
  case tree = "building the prefix tree"
  case sessions = "reading sessions"
}
