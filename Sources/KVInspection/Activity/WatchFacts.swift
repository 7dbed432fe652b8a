import KVBlocks
import KVDiskTier

package typealias ActivityCounters = StoreActivity.Counters

/// What a store in use does, between two looks at it.
package struct WatchInterval: Hashable, Sendable {
  package var counters: StoreActivity.Counters
  package var seconds: Double

  package init(counters: StoreActivity.Counters, seconds: Double) {
    self.counters = counters
    self.seconds = seconds
  }

  package func perSecond(_ count: KeyPath<StoreActivity.Counters, UInt64>) -> Double {
    seconds > 0 ? Double(counters[keyPath: count]) / seconds : 0
  }
}

extension StoreActivity.Counters {
  /// Blocks that were asked for. A file may claim more of them than an integer counts.
  package var asked: Double { found + Double(misses) }

  private var found: Double { Double(memoryHits) + Double(diskHits) }

  /// The share of what was asked for that was found, 0 to 1; nil where nothing was.
  package var hitRate: Double? { asked > 0 ? found / asked : nil }
}

/// Something about a store in use that its owner should know.
package struct WatchProblem: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case damagedLoads
    case fullQuota
    case staleReader
    case longReader
    case endedWithoutClosing
    case expiredSessions
  }

  package var kind: Kind
  /// With the remedy.
  package var message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

/// A look at a store in use.
package struct WatchFacts: Hashable, Sendable {
  /// Intervals that are kept.
  package static let historyLimit = 240

  package var path: String
  package var timeMicroseconds: UInt64
  package var gauge: StoreGauge
  /// Nil where no process ever told.
  package var activity: StoreActivity?
  /// Since the look before; nil at the first.
  package var interval: WatchInterval?
  /// Earlier intervals and ``interval``, the latest last.
  package var history: [WatchInterval]
  package var sessions: ForemostSessions
  /// False while the sessions' table was not gone through once.
  package var hasAllSessions: Bool
  package var problems: [WatchProblem]

  package init(
    path: String, timeMicroseconds: UInt64, gauge: StoreGauge, activity: StoreActivity?,
    history: [WatchInterval] = [], sessions: ForemostSessions = ForemostSessions(), hasAllSessions: Bool = true
  ) {
    self.path = path
    self.timeMicroseconds = timeMicroseconds
    self.gauge = gauge
    self.activity = activity
    self.history = history
    interval = history.last
    self.sessions = sessions
    self.hasAllSessions = hasAllSessions
    problems = []
    problems = Self.problems(self)
  }

  /// Processes that have the store open.
  package var processes: [StoreActivity.Process] { activity?.processes.filter(\.isAlive) ?? [] }

  /// The smallest quota among them.
  package var quotaBytes: Int? { processes.compactMap(\.quotaBytes).min().map { Int(clamping: $0) } }
}

extension WatchFacts {
  /// Commits that a reader may be behind before it is worth a word.
  private static let commitsBehindLimit: UInt64 = 100

  private static func problems(_ facts: WatchFacts) -> [WatchProblem] {
    var problems: [WatchProblem] = []
    func add(_ kind: WatchProblem.Kind, _ message: String) { problems.append(WatchProblem(kind, message)) }
    if let count = facts.activity?.total.damagedLoads, count > 0 {
      add(.damagedLoads, "\(count) loads found a block damaged; `kvpager verify --deep` names them")
    }
    if let quota = facts.quotaBytes, facts.isQuotaFullOfSessions(quota) {
      add(
        .fullQuota,
        "sessions fill \(facts.gauge.usedByteCount / max(1, quota / 100)) % of the quota, and commits will be refused; "
          + "raise it or delete sessions")
    }
    for reader in facts.gauge.readers where reader.snapshot != nil {
      let behind = facts.gauge.commit - min(facts.gauge.commit, reader.snapshot ?? 0)
      if !reader.isAlive {
        add(.staleReader, "process \(reader.processID) died while it read; the next commit clears its slot")
      } else if behind > commitsBehindLimit {
        add(
          .longReader,
          "process \(reader.processID) has read for \(behind) commits, and the file grows meanwhile; end it")
      }
    }
    for process in facts.activity?.processes ?? [] where !process.isAlive {
      add(
        .endedWithoutClosing,
        "\(process.name) (\(process.processID)) ended without closing the store; what it did not commit is gone")
    }
    if facts.sessions.expiredCount > 0 {
      add(.expiredSessions, "\(facts.sessions.expiredCount) sessions have expired; `kvpager gc` deletes them")
    }
    return problems
  }

  /// A quota full of cached blocks is as it should be: the oldest leave. One full of sessions' is not.
  private func isQuotaFullOfSessions(_ quota: Int) -> Bool {
    guard gauge.usedByteCount / 95 >= quota / 100 else { return false }
    return gauge.deletableBlockCount <= gauge.blockCount / 50
  }
}

extension WatchFacts: JSONConvertible {
  package var json: JSONValue {
    var rates: [String: JSONValue] = [:]
    for (name, path) in StoreActivity.Counters.fields {
      rates[name] = interval.map { .number(($0.perSecond(path) * 1000).rounded() / 1000) } ?? .null
    }
    return [
      "path": .string(path), "timeMicroseconds": .unsigned(timeMicroseconds),
      "intervalSeconds": interval.map { .number(($0.seconds * 1_000_000).rounded() / 1_000_000) } ?? .null,
      "store": [
        "sessions": .integer(gauge.sessionCount),
        "blocks": ["count": .integer(gauge.blockCount), "deletable": .integer(gauge.deletableBlockCount)],
        "bytes": [
          "file": .integer(gauge.fileByteCount), "used": .integer(gauge.usedByteCount),
          "quota": quotaBytes.map { .integer($0) } ?? .null,
        ],
        "commit": .unsigned(gauge.commit),
      ],
      "activity": activity?.json ?? .null, "perSecond": .object(rates),
      "hitRate": [
        "now": Self.share(interval?.counters.hitRate), "all": Self.share(activity?.total.hitRate),
      ],
      "sessions": [
        "recent": JSONValue(Array(sessions.recent.prefix(10))),
        "largest": JSONValue(Array(sessions.largest.prefix(10))), "complete": .bool(hasAllSessions),
      ],
      "problems": .array(problems.map { ["kind": .string($0.kind.rawValue), "message": .string($0.message)] }),
    ]
  }

  private static func share(_ share: Double?) -> JSONValue {
    share.map { .number(($0 * 10_000).rounded() / 10_000) } ?? .null
  }
}
