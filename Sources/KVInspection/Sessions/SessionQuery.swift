import KVBlocks
import KVDiskTier

/// Which sessions a listing shows, and in which order.
package struct SessionQuery: Hashable, Sendable {
  package enum Order: String, Hashable, Sendable, CaseIterable {
    case name, tokens, size, own, shared, used, updated, created, expires
  }

  package struct Metadata: Hashable, Sendable {
    package var key: String
    /// Nil: whatever it is.
    package var value: String?

    package init(key: String, value: String?) {
      self.key = key
      self.value = value
    }
  }

  package var name: NamePattern?
  package var space: SpaceID?
  /// Only sessions whose expiry has passed.
  package var isExpired = false
  /// Only sessions not used for so many microseconds.
  package var unusedForMicroseconds: UInt64?
  /// All of them must be there.
  package var metadata: [Metadata] = []
  /// Nil: by space and name.
  package var order: Order?
  package var isReversed = false
  /// The most that are shown; the totals count all that match.
  package var limit: Int?

  package init() {}

  /// What a session's summary can say already.
  func admits(_ summary: SessionSummary, nowMicroseconds: UInt64) -> Bool {
    if let space, summary.space != space { return false }
    if isExpired, !summary.isExpired(at: nowMicroseconds) { return false }
    if let name, !name.matches(summary.name) { return false }
    return true
  }

  func admits(_ record: SessionRecord) -> Bool {
    metadata.allSatisfy { wanted in
      guard let value = record.metadata[wanted.key] else { return false }
      return wanted.value == nil || wanted.value == value
    }
  }

  func admits(_ facts: SessionFacts, nowMicroseconds: UInt64) -> Bool {
    guard let unusedForMicroseconds else { return true }
    return nowMicroseconds - min(nowMicroseconds, facts.lastUseMicroseconds) >= unusedForMicroseconds
  }

  /// Numbers and times with the largest first: what one looks for. Those without expiry come last.
  func sorted(_ sessions: [SessionFacts]) -> [SessionFacts] {
    func by<Value: Comparable>(_ value: (SessionFacts) -> Value, descending: Bool) -> [SessionFacts] {
      sessions.sorted { a, b in
        let (x, y) = (value(a), value(b))
        if x == y { return (a.name, a.space) < (b.name, b.space) }
        return descending ? x > y : x < y
      }
    }
    let ordered =
      switch order {
      case nil: sessions
      case .name: by({ $0.name }, descending: false)
      case .tokens: by({ $0.tokenCount }, descending: true)
      case .size: by({ $0.logicalByteCount }, descending: true)
      case .own: by({ $0.uniqueByteCount }, descending: true)
      case .shared: by({ $0.sharedByteCount }, descending: true)
      case .used: by({ $0.lastUseMicroseconds }, descending: true)
      case .updated: by({ $0.updatedMicroseconds }, descending: true)
      case .created: by({ $0.createdMicroseconds }, descending: true)
      case .expires: by({ $0.expiresMicroseconds ?? .max }, descending: false)
      }
    return isReversed ? ordered.reversed() : ordered
  }
}
