import KVBlocks

/// The sessions that take most, and the sum of all others.
package struct SessionRanking: Hashable, Sendable {
  package struct Rest: Hashable, Sendable {
    package var sessionCount = 0
    package var tokenCount = 0
    package var blockCount = 0
    package var logicalByteCount = 0
    package var uniqueByteCount = 0
  }

  /// Those of the most bytes of their own first, then of the most bytes.
  package var top: [SessionFacts]
  package var rest = Rest()
  package var sessionCount: Int
  package var expiredCount = 0
  /// Bytes of rows that expired sessions alone hold.
  package var expiredByteCount = 0
  /// Sessions that lack a block.
  package var incompleteCount = 0

  init(_ sessions: [SessionFacts], limit: Int, nowMicroseconds: UInt64) {
    let sorted = sessions.sorted { a, b in
      if a.uniqueByteCount != b.uniqueByteCount { return a.uniqueByteCount > b.uniqueByteCount }
      if a.logicalByteCount != b.logicalByteCount { return a.logicalByteCount > b.logicalByteCount }
      if a.space != b.space { return a.space < b.space }
      return a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
    top = Array(sorted.prefix(max(0, limit)))
    sessionCount = sessions.count
    for session in sorted.dropFirst(max(0, limit)) {
      rest.sessionCount += 1
      rest.tokenCount &+= session.tokenCount
      rest.blockCount &+= session.blockCount
      rest.logicalByteCount &+= session.logicalByteCount
      rest.uniqueByteCount &+= session.uniqueByteCount
    }
    for session in sessions {
      if session.missingBlockCount > 0 { incompleteCount += 1 }
      guard let expires = session.expiresMicroseconds, expires <= nowMicroseconds else { continue }
      expiredCount += 1
      expiredByteCount &+= session.uniqueByteCount
    }
  }
}
