import KVBlocks
import SafeLMDB

/// Decides, before LMDB opens a data file, whether LMDB may trust it.
///
/// LMDB trusts its file: a truncated one kills the process, a flipped bit in a tree page can crash it or hide values.
/// The guard reads meta pages, every branch and leaf page and the freelist with `pread` (no map, no LMDB) and holds
/// them to every rule that LMDB relies on: some MiB for a store of 20 GB. Values are not read; their frames carry
/// checksums.
///
/// Another process may commit meanwhile. LMDB copies pages on write, so those of the newest transaction when the walk
/// begins stay as they are until two further commits are done: page numbers freed by the first are taken by the
/// third. A walk that finds something wrong after that long proves nothing and is repeated, after a few times with a
/// read transaction that holds the snapshot.
package enum LMDBFileGuard {
  /// Walks that a file gets while another process changes it.
  static let attemptCountLimit = 30
  /// Walks after which the snapshot is held.
  private static let heldFromAttempt = 3

  /// Returns where LMDB may open the file.
  /// - Parameter path: the data file, or the environment's directory.
  /// - Throws: `damaged`, `foreignByteOrder`, `notAStore`, `versionTooNew`; `notFound`, `permissionDenied`,
  ///   `inputOutput`; `busy` where another process changed the file faster than it could be read, and each walk met
  ///   something wrong.
  package static func check(path: String) throws(StoreError) {
    let report = try inspect(path: path, deep: false, findingCountLimit: 1)
    if let error = refusal(report, path: path) { throw error }
  }

  /// The whole report, up to ``LMDBFileReport/findingCountLimit`` findings.
  /// - Parameter deep: reads the header of every overflow run too, which deletes rely on: one read for each extent.
  /// - Throws: where there is nothing to walk: no file, no meta pages that can be followed.
  package static func inspect(path: String, deep: Bool = false) throws(StoreError) -> LMDBFileReport {
    try inspect(path: path, deep: deep, findingCountLimit: LMDBFileReport.findingCountLimit)
  }

  /// The error with which a store refuses to open; nil for a report without findings.
  package static func refusal(_ report: LMDBFileReport, path: String) -> StoreError? {
    guard let finding = report.findings.first else { return nil }
    if report.isUnsettled {
      return StoreError(
        .busy, "another process changes \(path) faster than it can be checked; try again", cause: finding.description)
    }
    return StoreError(
      .damaged,
      "\(path) is damaged: \(finding); `kvpager verify` says more; bring the store back from a copy")
  }

  private static func inspect(
    path: String, deep: Bool, findingCountLimit: Int
  ) throws(StoreError) -> LMDBFileReport {
    let file = try LMDBDataFile(path: path)
    var attemptCount = 1
    while true {
      var look = try look(at: file, deep: deep, findingCountLimit)
      if look.mayBeAnothersDoing, look.areMetaPagesSound, attemptCount >= heldFromAttempt,
        let held = try heldLook(at: file, deep, findingCountLimit)
      {
        look = held
      }
      look.report.attemptCount = attemptCount
      guard look.mayBeAnothersDoing else { return look.report }
      if attemptCount == attemptCountLimit {
        look.report.isUnsettled = true
        return look.report
      }
      attemptCount += 1
    }
  }

  /// One walk, and whether what it found may be another process's doing.
  private struct Look: Sendable {
    var report: LMDBFileReport
    var mayBeAnothersDoing: Bool
    var areMetaPagesSound: Bool
  }

  private static func look(
    at file: LMDBDataFile, deep: Bool, _ findingCountLimit: Int, isHeld: Bool = false
  ) throws(StoreError) -> Look {
    // Meta pages first: whatever they name was written before them, so the size read next covers it.
    let before = try LMDBMetaPages(of: file)
    var walk = LMDBFileWalk(
      file: file, metas: before, fileByteCount: try file.byteCount(), isDeep: deep,
      findingCountLimit: findingCountLimit)
    try walk.run()
    var report = walk.report
    report.byteCountRead = file.byteCountRead
    if report.findings.isEmpty && walk.needsRunHeaders && !deep {
      return try look(at: file, deep: true, findingCountLimit, isHeld: isHeld)
    }
    // Held pages stay as they are; meta pages are written all the same.
    let isSettled = report.findings.isEmpty || (isHeld && before.findings.isEmpty)
    let hasMoved = isSettled ? false : try hasMoved(file, since: before)
    return Look(report: report, mayBeAnothersDoing: hasMoved, areMetaPagesSound: before.findings.isEmpty)
  }

  /// A walk while a read transaction holds the newest snapshot, so that no page of it is used again meanwhile. It looks
  /// at nothing itself: LMDB reads the meta pages, which the walks before this one found sound. Nil where the store is
  /// open in this process already or its lock file cannot be written.
  private static func heldLook(
    at file: LMDBDataFile, _ deep: Bool, _ findingCountLimit: Int
  ) throws(StoreError) -> Look? {
    guard file.path.hasSuffix("/data.mdb"),
      let environment = try? Environment(
        path: String(file.path.dropLast("/data.mdb".count)), options: EnvironmentOptions(isReadOnly: true))
    else { return nil }
    defer { environment.close() }
    guard environment.isLocked else { return nil }
    return try environment.read { (_) throws(StoreError) -> Look in
      try look(at: file, deep: deep, findingCountLimit, isHeld: true)
    }
  }

  /// Whether what was wrong may be another process's doing.
  private static func hasMoved(_ file: LMDBDataFile, since before: LMDBMetaPages) throws(StoreError) -> Bool {
    let after = try LMDBMetaPages(of: file)
    // Meta pages that do not fit together may have been read while they were written.
    if !before.findings.isEmpty { return after.pages != before.pages }
    return after.newest.transactionID >= before.newest.transactionID &+ 2
  }
}
