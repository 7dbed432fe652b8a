import KVBlocks
import KVDiskTier

/// Something wrong with a store.
package struct VerifyFinding: Hashable, Sendable, CustomStringConvertible {
  package enum Severity: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Bytes are lost.
    case damage
    /// Nothing is lost: one record says other than the rest.
    case inconsistency
    /// Nothing is wrong but that it takes room.
    case waste

    package static func < (a: Severity, b: Severity) -> Bool {
      allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
  }

  package var severity: Severity
  /// What kind of thing it is: `file` for LMDB's own structure, `lostPage` for pages in no tree and not free either,
  /// else a kind of the audit.
  package var kind: String
  package var space: SpaceID?
  package var block: BlockKey?
  package var session: String?
  package var message: String
  /// What to do about it.
  package var remedy: String
  /// For a session that lost blocks: tokens that it can still be resumed with.
  package var wholeTokenCount: Int?
  /// For a damaged block: how many sessions hold it, and some of their names.
  package var sessionCount = 0
  package var sessions: [String] = []

  /// Where it is and what it is, in one line.
  package var description: String {
    if let block { return "block \(block): \(message)" }
    guard let session else { return message }
    return "session \"\(session)\"" + (space.map { " of space \($0): " } ?? ": ") + message
  }

  static func file(_ message: String) -> VerifyFinding {
    VerifyFinding(
      severity: .damage, kind: "file", message: message,
      remedy: "`kvpager salvage` brings what is whole into a new store; or bring the store back from a copy")
  }

  static func lostPages(_ count: Int) -> VerifyFinding {
    VerifyFinding(
      severity: .waste, kind: "lostPage",
      message: "\(count == 1 ? "1 page" : "\(count) pages") that nothing leads to: harmless, but never used again",
      remedy: "`kvpager salvage` makes a new store without them, should their room be wanted")
  }
}

extension VerifyFinding {
  init(_ finding: Finding) {
    self.init(
      severity: Self.severity(finding.kind), kind: finding.kind.rawValue, space: finding.space, block: finding.block,
      session: finding.session, message: finding.message, remedy: Self.remedy(finding),
      wholeTokenCount: finding.wholeTokenCount, sessionCount: finding.holderCount, sessions: finding.holders)
  }

  static func severity(_ kind: Finding.Kind) -> Severity {
    switch kind {
    case .record, .space, .frame, .identity, .missingBlock, .checkpoint: .damage
    case .extent, .page, .orphanedBlock, .sessionRecord, .sessionCount, .children, .recency, .counters: .inconsistency
    case .orphanedExtent: .waste
    }
  }

  private static func remedy(_ finding: Finding) -> String {
    switch finding.kind {
    case .frame, .identity: damagedBlock
    case .record where finding.block != nil:
      "`kvpager verify --repair` makes it anew from the block's frame; storing the same tokens again does too"
    case .record where finding.session != nil:
      "`kvpager verify --repair` makes it anew where the session's body is whole, and drops it where it is not"
    case .record, .sessionRecord, .sessionCount, .children, .recency, .counters:
      "`kvpager verify --repair` sets it right"
    case .space:
      "`kvpager salvage` brings the space's sessions into a new store, where its engine finds them again; or bring the "
        + "store back from a copy"
    case .missingBlock: lostBlocks(finding)
    case .checkpoint: "`kvpager verify --repair --cut-sessions` drops the checkpoint and keeps the session's blocks"
    case .extent: "`kvpager verify --repair` rewrites what they say; only `kvpager salvage` goes by it"
    case .page: "its room cannot be used again; `kvpager salvage` brings all that is whole into a new store"
    case .orphanedBlock:
      "`kvpager verify --repair` brings its parent back where that is whole, and deletes it where it is not"
    case .orphanedExtent:
      "`kvpager verify --repair` brings back what is needed of them, and deletes the rest"
    }
  }

  private static let damagedBlock =
    "storing the same tokens again writes the block anew; `kvpager verify --repair` drops what no session holds"

  private static func lostBlocks(_ finding: Finding) -> String {
    let cut = "`kvpager verify --repair --cut-sessions` cuts it there"
    guard let count = finding.wholeTokenCount, count > 0, !finding.hasCheckpoint, let name = finding.session else {
      return "import or store it again; \(cut)"
    }
    let space = finding.space.map { " --space \($0)" } ?? ""
    return
      "fork it there: `kvpager fork \(CommandText.quoted(name))\(space) --as NEW --tokens \(count)`; or import it again"
  }
}

/// Commands as a shell takes them.
enum CommandText {
  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "/"),
        UInt8(ascii: ":"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if isPlain, !text.isEmpty, !text.hasPrefix("-") { return text }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
