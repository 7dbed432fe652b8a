import KVBlocks
import KVDiskTier

/// What is to be said of a store's health, the worst first.
package struct ReportHealth: Sendable {
  package enum Level: Int, Comparable, Sendable {
    case bad, caution, good

    package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  package struct Item: Hashable, Sendable {
    package var level: Level
    package var title: String
    package var text: String
    /// What helps; empty where nothing needs to.
    package var remedy: String
  }

  package private(set) var items: [Item] = []

  package var worst: Level { items.map(\.level).min() ?? .good }

  package init(_ facts: ReportFacts) {
    addFile(facts)
    addFindings(facts)
    if let contents = facts.contents, let statistics = facts.statistics { addContents(contents, statistics) }
    items = items.enumerated().sorted { ($0.element.level, $0.offset) < ($1.element.level, $1.offset) }.map(\.element)
  }

  private mutating func add(_ level: Level, _ title: String, _ text: String, remedy: String = "") {
    items.append(Item(level: level, title: title, text: text, remedy: remedy))
  }

  private mutating func addFile(_ facts: ReportFacts) {
    if let refusal = facts.info.refusal {
      add(
        .bad, "The store does not open", refusal,
        remedy: "`kvpager salvage` brings back what is whole; or bring the store back from a copy.")
    } else if let file = facts.info.file {
      add(
        .good, "LMDB’s file is sound",
        "Before anything was opened, the guard read the \(Figures.count(Int(clamping: file.treePageCount))) pages of "
          + "all \(file.tables.count) trees and found nothing wrong.")
    }
    if let raw = facts.verify.salvageable {
      add(
        .caution, "Raw bytes tell of \(Figures.count(raw.blocks.wholeCount, "whole block"))",
        "Found without LMDB: \(Figures.count(raw.blocks.wholeCount, "whole frame")) of "
          + "\(Figures.bytes(raw.blocks.wholeByteCount)), \(Figures.count(raw.blocks.damagedCount)) damaged; "
          + "\(Figures.count(raw.wholeSessionCount, "session")) whole, "
          + "\(Figures.count(raw.sessions.count - raw.wholeSessionCount)) in part.",
        remedy: "`kvpager salvage` makes a new store of them.")
    }
  }

  private mutating func addFindings(_ facts: ReportFacts) {
    let verify = facts.verify
    if verify.isUsable, verify.isSound {
      let scope = verify.scope.map {
        " (\(Figures.count($0.blockCount, "block")), \(Figures.count($0.sessionCount, "session")))"
      }
      add(
        .good, "Records, links and counts agree",
        "Every record was read\(scope ?? ""), and every block’s parent, children and session count checked. "
          + "Frames were not decoded: `kvpager verify --deep` does that.")
    }
    // The refusal says already what the guard found first.
    let findings = facts.info.refusal == nil ? verify.findings : verify.findings.filter { $0.kind != "file" }
    for finding in findings.prefix(ReportOptions.findingLimit) {
      let level = Self.level(finding.severity)
      add(level, Self.word(finding.severity) + ": " + finding.description, "", remedy: Self.sentence(finding.remedy))
    }
    let more = verify.findingCount - min(findings.count, ReportOptions.findingLimit)
    if !findings.isEmpty, more > 0 {
      add(
        findings.dropFirst(ReportOptions.findingLimit).map { Self.level($0.severity) }.min() ?? .bad,
        Figures.count(more, "more finding"), "The gravest are told here.", remedy: "`kvpager verify` lists all.")
    }
  }

  private static func level(_ severity: VerifyFinding.Severity) -> Level { severity == .waste ? .caution : .bad }

  private static func word(_ severity: VerifyFinding.Severity) -> String {
    switch severity {
    case .damage: "Damage"
    case .inconsistency: "Inconsistency"
    case .waste: "Waste"
    }
  }

  /// "storing it again writes it anew" as a sentence of its own.
  private static func sentence(_ text: String) -> String {
    guard let first = text.first, first != "`" else { return text + "." }
    return first.uppercased() + text.dropFirst() + "."
  }

  private mutating func addContents(_ contents: ReportFacts.Contents, _ statistics: StoreStatistics) {
    let sessions = contents.sessions
    if sessions.incompleteCount > 0 {
      add(
        .bad, "\(Figures.count(sessions.incompleteCount, "session")) cannot be resumed whole",
        "Blocks that they hold are gone or damaged.", remedy: "Their tokens are kept: an engine computes the rest anew."
      )
    }
    if statistics.damagedRecordCount > 0 {
      add(
        .bad, "\(Figures.count(statistics.damagedRecordCount, "record")) cannot be read",
        "They are counted nowhere else.", remedy: "`kvpager verify` names them.")
    }
    if statistics.expiredSessionCount > 0 {
      add(
        .caution, "\(Figures.count(statistics.expiredSessionCount, "session")) expired",
        "What no other session holds of that: \(Figures.bytes(sessions.expiredByteCount)) of rows.",
        remedy: "The next `kvpager gc` deletes what has expired.")
    }
    addReaders(statistics.readers)
  }

  private mutating func addReaders(_ readers: [ReaderFacts]) {
    let stale = readers.count(where: \.isStale)
    if stale > 0 {
      add(
        .caution, "\(Figures.count(stale, "process", plural: "processes")) died while reading",
        "The pages that they held are free again: their slots were cleared just now.")
    }
    if let last = readers.filter({ !$0.isStale }).compactMap(\.commitsBehind).max(), last > 100 {
      add(
        .caution, "A reader is \(Figures.count(Int(clamping: last), "commit")) behind",
        "While it reads, no page freed since can be used again, and the file grows.",
        remedy: "End that process, or let it read in shorter steps.")
    }
  }
}
