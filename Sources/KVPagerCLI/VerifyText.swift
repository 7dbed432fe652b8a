import KVInspection
import KVPager

/// What `verify` found, for people: by severity and kind, each with its remedy, and what is still whole.
struct VerifyText {
  /// Findings of one kind that are shown one by one.
  static let shownLimit = 20

  private let report: VerifyReport
  private let ink: Ink
  private var text = ""

  static func text(of report: VerifyReport, _ ink: Ink) -> String {
    var writer = VerifyText(report: report, ink: ink)
    writer.write()
    return writer.text
  }

  private init(report: VerifyReport, ink: Ink) {
    self.report = report
    self.ink = ink
  }

  private mutating func write() {
    writeFindings()
    guard !report.isLocked else { return }
    text += "Read without a lock: this user may not write lock.mdb. Nobody wrote meanwhile.\n"
  }

  private mutating func writeFindings() {
    let path = Answer.printable(report.path)
    guard !report.isSound else {
      text += "\(path) is \(ink.good("sound")): every "
      text += report.isDeep ? "page, record and frame was checked" : "tree page and record was checked"
      text += report.scope.map { " (\(Self.sizes($0)))\n" } ?? "\n"
      if !report.isDeep { text += ink.faint("Frames were not read; --deep reads them too.") + "\n" }
      return
    }
    text += "\(path): \(headline)\n"
    for severity in VerifyFinding.Severity.allCases {
      let counts = report.counts.filter { $0.severity == severity }
      guard !counts.isEmpty else { continue }
      text += "\n\(paint(severity))\n"
      for count in counts { write(count) }
    }
    text += "\n" + whole
  }

  private var headline: String {
    let damage = report.counts.filter { $0.severity == .damage }.reduce(0) { $0 + $1.count }
    let findings = Answer.count(report.findingCount, "finding")
    return damage > 0 ? "\(ink.bad("damaged")), \(findings)" : "\(ink.caution("nothing is lost")), \(findings)"
  }

  private func paint(_ severity: VerifyFinding.Severity) -> String {
    switch severity {
    case .damage: ink.bad("DAMAGE") + ": bytes are lost"
    case .inconsistency: ink.caution("INCONSISTENCY") + ": one record says other than the rest; no bytes are lost"
    case .waste: ink.strong("WASTE") + ": room that nothing uses"
    }
  }

  private mutating func write(_ count: VerifyReport.Count) {
    let findings = report.findings.filter { $0.kind == count.kind }
    text += "  \(ink.strong(Self.title(of: count.kind))): \(count.count)\n"
    let shown = findings.prefix(Self.shownLimit)
    let isOneRemedy = shown.allSatisfy { $0.remedy == shown.first?.remedy }
    for finding in shown {
      text += "    \(Answer.printable(finding.description))\n"
      if finding.sessionCount > 0 { text += "      \(Self.holders(of: finding))\n" }
      if !isOneRemedy { write(remedy: finding.remedy, indent: "      ") }
    }
    if count.kind != "orphanedExtent", count.count > shown.count {
      text += "    and \(count.count - shown.count) more"
      text += " (--json names up to \(VerifyReport.findingLimit))\n"
    }
    if isOneRemedy, let remedy = shown.first?.remedy { write(remedy: remedy, indent: "    ") }
  }

  private mutating func write(remedy: String, indent: String) {
    text += "\(indent)\(ink.good("->")) \(Answer.printable(remedy))\n"
  }

  private static func holders(of finding: VerifyFinding) -> String {
    let names = finding.sessions.map { "\"\(Answer.printable($0))\"" }.joined(separator: ", ")
    let rest = finding.sessionCount - finding.sessions.count
    let more = rest > 0 ? " and \(rest) more" : ""
    return
      "\(Answer.count(finding.sessionCount, "session")) hold\(finding.sessionCount == 1 ? "s" : "") it: \(names)\(more)"
  }

  private static func sizes(_ scope: VerifyReport.Scope) -> String {
    "\(Answer.count(scope.blockCount, "block")), \(Answer.count(scope.sessionCount, "session"))"
  }

  private var whole: String {
    if let scope = report.scope {
      let blocks = "\(scope.blockCount - scope.brokenBlockCount) of \(Answer.count(scope.blockCount, "block"))"
      let sessions = "\(scope.sessionCount - scope.hurtSessionCount) of \(Answer.count(scope.sessionCount, "session"))"
      let depth = report.isDeep ? "" : " as far as their records tell; --deep reads their frames too"
      return "Still whole: \(blocks), \(sessions)\(depth).\n"
    }
    guard let raw = report.salvageable else { return "" }
    return """
      The store does not open. Its bytes still hold \(Answer.count(raw.blocks.wholeCount, "whole block")) and \
      \(Answer.count(raw.wholeSessionCount, "whole session")).
      Keep the file as it is: `kvpager salvage` brings them into a new store.

      """
  }

  private static func title(of kind: String) -> String {
    switch kind {
    case "file": "LMDB's structure"
    case "record": "records that cannot be read"
    case "space": "cache spaces that cannot be used"
    case "frame": "damaged frames"
    case "identity": "blocks that are not what their keys say"
    case "missingBlock": "sessions that lost blocks"
    case "checkpoint": "damaged checkpoints"
    case "extent": "frames whose extents say that they are others"
    case "page": "pages that could not be freed"
    case "orphanedBlock": "blocks whose parent is not stored"
    case "sessionRecord": "sessions that are listed other than they are"
    case "sessionCount": "session counts that are wrong"
    case "children": "lists of children that are wrong"
    case "recency": "entries of the quota's order that are wrong"
    case "counters": "numbers that would be given twice"
    case "orphanedExtent": "extents of no frame"
    case "lostPage": "pages that belong to nothing"
    default: kind
    }
  }
}
