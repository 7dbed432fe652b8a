import KVBlocks
import KVDiskTier

/// How far `verify` is, in bytes of the file.
package struct VerifyProgress: Hashable, Sendable {
  package var doneByteCount: Int
  package var totalByteCount: Int
}

/// What `verify` says of a store.
package struct VerifyReport: Hashable, Sendable {
  /// Findings of one kind.
  package struct Count: Hashable, Sendable {
    package var kind: String
    package var severity: VerifyFinding.Severity
    package var count: Int
  }

  /// What was looked at, and what of it is lost. The rest is whole.
  package struct Scope: Hashable, Sendable {
    package var blockCount: Int
    package var brokenBlockCount: Int
    package var sessionCount: Int
    package var hurtSessionCount: Int
  }

  package typealias Repair = RepairReport

  /// Findings of one kind that a report names; all are counted.
  package static let findingLimit = 1000

  package var path: String
  package var isDeep: Bool
  /// The guard's report; nil where the file's meta pages cannot be followed.
  package var file: LMDBFileReport?
  /// The gravest first, up to ``findingLimit`` of each kind.
  package var findings: [VerifyFinding]
  /// How many there are of each kind, in the same order.
  package var counts: [Count] = []
  /// Nil where the store does not open.
  package var scope: Scope?
  /// What the file's raw bytes still hold, where the store does not open.
  package var salvageable: RawStoreReport?
  /// False: this user may not write the lock file; the store was read without.
  package var isLocked = true
  /// What a repair has to look at again.
  package var suspects = RepairSuspects()

  package var findingCount: Int { counts.reduce(0) { $0 + $1.count } }
  package var isSound: Bool { findings.isEmpty }
  /// The store opens: what is wrong concerns single blocks and sessions.
  package var isUsable: Bool { salvageable == nil }

  /// Adds what the guard found.
  mutating func add(fileFindings: [String]) {
    guard !fileFindings.isEmpty else { return }
    findings = fileFindings.map { .file($0) } + findings
    counts.insert(Count(kind: "file", severity: .damage, count: fileFindings.count), at: 0)
  }

  /// Adds what takes room in the file and belongs to nothing.
  mutating func addLostPages(_ file: LMDBFileReport) {
    guard file.unreachablePageCount > 0 else { return }
    let finding = VerifyFinding.lostPages(Int(clamping: file.unreachablePageCount))
    findings.append(finding)
    counts.append(Count(kind: finding.kind, severity: finding.severity, count: 1))
  }

  mutating func add(_ audit: AuditReport) {
    suspects = audit.suspects
    findings += audit.findings.map { VerifyFinding($0) }.enumerated()
      .sorted { ($0.element.severity, $0.offset) < ($1.element.severity, $1.offset) }.map(\.element)
    for severity in VerifyFinding.Severity.allCases {
      for kind in Finding.Kind.allCases where VerifyFinding.severity(kind) == severity {
        if let count = audit.counts[kind] {
          counts.append(Count(kind: kind.rawValue, severity: severity, count: count))
        }
      }
    }
    scope = Scope(
      blockCount: audit.blockCount, brokenBlockCount: audit.brokenBlockCount, sessionCount: audit.sessionCount,
      hurtSessionCount: audit.hurtSessionCount)
  }
}

extension VerifyReport: JSONConvertible {
  package var json: JSONValue { json(repair: nil) }

  /// - Parameter repair: what a repair did before this report was made.
  package func json(repair: Repair?) -> JSONValue {
    let counts = counts.map { count -> JSONValue in
      ["kind": .string(count.kind), "severity": .string(count.severity.rawValue), "count": .integer(count.count)]
    }
    let scope = scope.map { scope -> JSONValue in
      [
        "blocks": .integer(scope.blockCount), "damagedBlocks": .integer(scope.brokenBlockCount),
        "sessions": .integer(scope.sessionCount), "damagedSessions": .integer(scope.hurtSessionCount),
      ]
    }
    return [
      "path": .string(path), "deep": .bool(isDeep), "sound": .bool(isSound), "usable": .bool(isUsable),
      "locked": .bool(isLocked),
      "findings": JSONValue(findings), "findingCount": .integer(findingCount), "counts": .array(counts),
      "findingLimit": .integer(Self.findingLimit), "checked": scope ?? .null, "file": file?.json ?? .null,
      "salvageable": salvageable?.json ?? .null, "repair": repair?.json ?? .null,
    ]
  }
}

extension VerifyFinding: JSONConvertible {
  package var json: JSONValue {
    [
      "severity": .string(severity.rawValue), "kind": .string(kind), "block": JSONValue(block?.hash.description),
      "space": space.map { .unsigned(UInt64($0.rawValue)) } ?? .null, "session": JSONValue(session),
      "message": .string(message), "remedy": .string(remedy),
      "wholeTokens": wholeTokenCount.map { .integer($0) } ?? .null, "sessionCount": .integer(sessionCount),
      "sessions": .array(sessions.map { .string($0) }),
    ]
  }
}
