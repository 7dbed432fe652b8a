import KVBlocks
import KVDiskTier

/// A session as a list of the foremost shows it.
package struct ForemostSession: Hashable, Sendable {
  package var space: SpaceID
  package var name: String
  package var tokenCount: Int
  /// Bytes of rows of its tokens, before the codec.
  package var rowByteCount: Int
  package var updatedMicroseconds: UInt64

  package init(space: SpaceID, name: String, tokenCount: Int, rowByteCount: Int, updatedMicroseconds: UInt64) {
    self.space = space
    self.name = name
    self.tokenCount = tokenCount
    self.rowByteCount = rowByteCount
    self.updatedMicroseconds = updatedMicroseconds
  }

  fileprivate var key: Key { Key(space: space, name: name) }

  fileprivate struct Key: Hashable {
    var space: SpaceID
    var name: String
  }
}

/// The sessions changed last and the largest ones, found by going through the table a part at a time.
package struct ForemostSessions: Hashable, Sendable {
  /// Sessions of each list at most.
  package static let countLimit = 20

  /// Changed last first.
  package private(set) var recent: [ForemostSession] = []
  /// Largest first.
  package private(set) var largest: [ForemostSession] = []
  package private(set) var expiredCount = 0
  package private(set) var seenCount = 0

  package init(_ sessions: [ForemostSession] = []) {
    for session in sessions { add(session, isExpired: false) }
  }

  mutating func add(_ session: ForemostSession, isExpired: Bool) {
    seenCount += 1
    if isExpired { expiredCount += 1 }
    Self.insert(session, into: &recent) { $0.updatedMicroseconds > $1.updatedMicroseconds }
    Self.insert(session, into: &largest) { $0.rowByteCount > $1.rowByteCount }
  }

  /// These, with what an earlier round saw of sessions that this one has not come to.
  func completed(from earlier: ForemostSessions) -> ForemostSessions {
    var result = earlier
    for session in recent {
      Self.insert(session, into: &result.recent) { $0.updatedMicroseconds > $1.updatedMicroseconds }
    }
    for session in largest { Self.insert(session, into: &result.largest) { $0.rowByteCount > $1.rowByteCount } }
    return result
  }

  private static func insert(
    _ session: ForemostSession, into list: inout [ForemostSession], before: (ForemostSession, ForemostSession) -> Bool
  ) {
    if let last = list.last, list.count >= countLimit, !before(session, last),
      !list.contains(where: { $0.key == session.key })
    {
      return
    }
    list.removeAll { $0.key == session.key }
    list.insert(session, at: list.firstIndex { before(session, $0) } ?? list.count)
    if list.count > countLimit { list.removeLast() }
  }
}

/// Goes through the sessions' table again and again, a bounded part each time, and only while the store changes.
struct SessionRounds {
  /// Records read in one step: a few milliseconds.
  static let stepLimit = 2048

  private var current = ForemostSessions()
  private var complete: ForemostSessions?
  private var end: [UInt8]?
  /// The commit that the round began with; nil before the first.
  private var commit: UInt64?
  private var isUnderWay = false

  /// What is known now.
  var foremost: ForemostSessions { complete.map { isUnderWay ? current.completed(from: $0) : $0 } ?? current }
  /// All sessions were seen once.
  var isComplete: Bool { complete != nil }

  mutating func step(_ tier: DiskTier, commit now: UInt64, nowMicroseconds: UInt64) throws(StoreError) {
    if !isUnderWay {
      guard commit != now else { return }
      (current, end, commit, isUnderWay) = (ForemostSessions(), nil, now, true)
    }
    let part = try tier.sessionSummaries(after: end, limit: Self.stepLimit)
    // Kept only where all of the step could be read: it is tried again where not.
    var seen = current
    for summary in part.summaries {
      let layout = try tier.space(summary.space)?.layout
      // A damaged record may claim any number of tokens.
      let bytes = layout.map { $0.tokenByteCount.multipliedReportingOverflow(by: summary.tokenCount) }
      seen.add(
        ForemostSession(
          space: summary.space, name: summary.name, tokenCount: summary.tokenCount,
          rowByteCount: bytes.map { $0.overflow ? 0 : $0.partialValue } ?? 0,
          updatedMicroseconds: summary.updatedMicroseconds),
        isExpired: summary.expiresMicroseconds.map { $0 <= nowMicroseconds } ?? false)
    }
    (current, end) = (seen, part.end)
    guard end == nil else { return }
    (complete, isUnderWay) = (current, false)
  }
}

extension ForemostSession: JSONConvertible {
  package var json: JSONValue {
    [
      "space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "tokens": .integer(tokenCount),
      "bytes": .integer(rowByteCount), "updatedMicroseconds": .unsigned(updatedMicroseconds),
    ]
  }
}
