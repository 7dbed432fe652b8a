import KVInspection
import KVPager

/// What a repair did, for people: one line for each kind of thing.
enum RepairText {
  /// Sessions that are named one by one.
  static let shownLimit = 20

  /// Why a repair did nothing about what a report found.
  static func nothing(_ report: VerifyReport, cutsSessions: Bool) -> String {
    let isHeld = report.findings.contains { $0.severity == .damage && ($0.session != nil || $0.sessionCount > 0) }
    guard isHeld, !cutsSessions else {
      return "Nothing was changed: no repair sets that right; the remedies stand above.\n"
    }
    return """
      Nothing was changed: sessions hold what is damaged, and stay as they are.
      Storing their tokens again heals them; --cut-sessions cuts them instead.

      """
  }

  static func text(of repair: VerifyReport.Repair) -> String {
    var lines: [String] = []
    func add(_ count: Int, _ text: (String) -> String, _ noun: String) {
      if count > 0 { lines.append(text(Answer.count(count, noun))) }
    }
    add(repair.restoredSpaceCount, { "gave \($0) its own record back" }, "cache space")
    add(repair.restoredBlockCount, { "brought back \($0) whose record was lost" }, "block")
    add(repair.restoredSessionCount, { "brought back \($0) whose record was lost" }, "session")
    add(repair.restoredExtentCount, { "gave \($0) back to what lacked it" }, "extent")
    add(repair.droppedBlockCount, { "dropped \($0) that cannot be read or reached" }, "block")
    add(repair.correctedCountCount, { "set \($0) right" }, "session count")
    add(repair.correctedLinkCount, { "set \($0) between blocks right" }, "link")
    add(repair.rewrittenSessionCount, { "listed \($0) as what they are" }, "session")
    add(repair.rewrittenExtentCount, { "had \($0) say what they are" }, "extent")
    if repair.correctedCounters { lines.append("set the store's counters right") }
    add(repair.deletedEntryCount, { "deleted \($0) with a key of the wrong form" }, "record")
    add(repair.deletedExtentCount, { "deleted \($0) of no frame" }, "extent")
    addNames(repair.droppedSessions, "dropped the unreadable record of", to: &lines)
    addNames(repair.droppedCheckpoints, "dropped the damaged checkpoint of", to: &lines)
    for cut in repair.cuts.prefix(shownLimit) {
      lines.append(
        "cut session \"\(Answer.printable(cut.name))\" from \(cut.oldTokenCount) to "
          + Answer.count(cut.newTokenCount, "token"))
    }
    if repair.cuts.count > shownLimit { lines.append("cut \(repair.cuts.count - shownLimit) more sessions") }
    return "Repaired:\n" + lines.map { "  \($0)\n" }.joined()
  }

  private static func addNames(_ names: [String], _ verb: String, to lines: inout [String]) {
    for name in names.prefix(shownLimit) { lines.append("\(verb) session \"\(Answer.printable(name))\"") }
    if names.count > shownLimit { lines.append("\(verb) \(names.count - shownLimit) more sessions") }
  }
}
