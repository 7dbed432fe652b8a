import KVBlocks

/// What an audit found, and how much it looked at.
package struct AuditReport: Hashable, Sendable {
  /// By kind, the gravest first; of each kind so many as were asked for.
  package var findings: [Finding] = []
  /// How many there are of each kind.
  package var counts: [Finding.Kind: Int] = [:]
  package var blockCount = 0
  package var sessionCount = 0
  package var frameCount = 0
  /// Blocks that can no longer be read.
  package var brokenBlockCount = 0
  /// Sessions that lost blocks, or cannot be read at all.
  package var hurtSessionCount = 0
  /// Nobody committed meanwhile.
  package var isOneSnapshot = true
}

// Invariants: `counts` has every finding, `kept` at most `limit` of each kind.

/// Gathers what an audit finds in bounded memory.
final class FindingList {
  private let limit: Int
  private var kept: [Finding.Kind: [Finding]] = [:]
  private(set) var counts: [Finding.Kind: Int] = [:]
  private(set) var broken: Set<BlockKey> = []
  private var holders: [BlockKey: (count: Int, names: [String])] = [:]
  private var hurtSessions: Set<SessionKey> = []

  init(limit: Int) { self.limit = limit }

  func add(_ problems: [AuditProblem]) {
    for problem in problems {
      if let block = problem.brokenBlock, !broken.insert(block).inserted, case .damagedFrame = problem { continue }
      switch problem {
      case .sessionRecord(let key, _), .sessionBlocks(let key, _, _, _): hurtSessions.insert(key)
      case .incompleteFrame(.body(let key), _, _), .sharedFrame(.body(let key), _, _): hurtSessions.insert(key)
      default: break
      }
      let finding = Finding(problem)
      counts[finding.kind, default: 0] += 1
      if kept[finding.kind, default: []].count < limit { kept[finding.kind, default: []].append(finding) }
    }
  }

  /// Notes that a session holds a broken block.
  func note(holder session: SessionKey, of block: BlockKey) {
    var entry = holders[block] ?? (0, [])
    entry.count += 1
    if entry.names.count < Finding.holderLimit { entry.names.append(session.name) }
    holders[block] = entry
  }

  /// All of it, in an order that depends on nothing but what was found.
  func report() -> AuditReport {
    var report = AuditReport(counts: counts, brokenBlockCount: broken.count, hurtSessionCount: hurtSessions.count)
    for kind in Finding.Kind.allCases {
      guard var list = kept[kind] else { continue }
      if kind == .orphanedExtent, let count = counts[kind], list.allSatisfy({ $0.block == nil }) {
        list = [Finding(kind, "\(count) extent\(count == 1 ? " belongs" : "s belong") to no frame")]
      }
      list.sort { $0.sortKey < $1.sortKey }
      for finding in list {
        var finding = finding
        if let block = finding.block, let entry = holders[block] {
          finding.holderCount = entry.count
          finding.holders = entry.names
        }
        report.findings.append(finding)
      }
    }
    return report
  }
}

extension Finding {
  fileprivate var sortKey: String {
    let space = space.map { String($0.rawValue) } ?? ""
    return String(repeating: "0", count: max(0, 10 - space.count)) + space + (block?.hash.description ?? "")
      + (session ?? "") + "\u{0}" + message
  }
}
