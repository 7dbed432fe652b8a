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
    if let contents = facts.contents { addContents(contents) }
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
    let findings = facts.verify.findings
    if facts.verify.isUsable, findings.isEmpty {
      add(
        .good, "Records, links and counts agree",
        "Every record was read, every block’s parent, children and session count was checked. Frames were not decoded: "
          + "`kvpager verify --deep` does that.")
    }
    for finding in findings.prefix(ReportOptions.findingLimit) {
      add(.bad, "Found by verify: \(finding.kind)", finding.message)
    }
    if findings.count > ReportOptions.findingLimit {
      let more = findings.count - ReportOptions.findingLimit
      add(
        .bad, "\(Figures.count(more, "more finding"))", "The first \(ReportOptions.findingLimit) are told here.",
        remedy: "`kvpager verify` lists all.")
    }
  }

  private mutating func addContents(_ contents: ReportFacts.Contents) {
    let sessions = contents.sessions
    if sessions.incompleteCount > 0 {
      add(
        .bad, "\(Figures.count(sessions.incompleteCount, "session")) cannot be resumed whole",
        "Blocks that they hold are gone or damaged.", remedy: "Their tokens are kept: an engine computes the rest anew."
      )
    }
    if contents.use.damagedCount > 0 {
      add(
        .bad, "\(Figures.count(contents.use.damagedCount, "record")) cannot be read", "They are counted nowhere else.",
        remedy: "`kvpager verify` names them.")
    }
    if sessions.expiredCount > 0 {
      add(
        .caution,
        "\(Figures.count(sessions.expiredCount, "session")) expired",
        "What they alone hold: \(Figures.bytes(sessions.expiredByteCount)) of rows.",
        remedy: "The next `kvpager gc` deletes them.")
    }
    if let unreachable = contents.file?.unreachableByteCount, unreachable > 0 {
      add(
        .caution, "\(Figures.bytes(unreachable)) of the file is lost to it",
        "Pages that nothing leads to: harmless, left by a power loss or a killed writer.",
        remedy: "`kvpager compact` writes the store anew without them.")
    }
  }
}
