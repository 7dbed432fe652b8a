import KVBlocks

/// What a listing of sessions says.
package struct SessionList: Hashable, Sendable {
  /// Sums over all sessions that match, shown or not.
  package struct Total: Hashable, Sendable {
    package var sessionCount = 0
    package var tokenCount = 0
    /// Bytes of rows as if each session had its own.
    package var logicalByteCount = 0
    /// Bytes of rows that no other session has.
    package var uniqueByteCount = 0
    /// Bytes of the file that deleting each one by itself would free, added up.
    package var ownDiskByteCount = 0

    mutating func add(_ session: SessionFacts) {
      sessionCount += 1
      tokenCount &+= session.tokenCount
      logicalByteCount &+= session.logicalByteCount
      uniqueByteCount &+= session.uniqueByteCount
      ownDiskByteCount &+= session.ownDiskByteCount
    }
  }

  package var sessions: [SessionFacts] = []
  package var total = Total()
  /// Sessions of the store, matching or not, damaged ones left out.
  package var storedCount = 0
  /// Names of sessions whose records cannot be read, up to ``damagedNameLimit``.
  package var damagedNames: [String] = []
  package var damagedCount = 0
  package var isOneSnapshot = true

  package static let damagedNameLimit = 100

  mutating func noteDamaged(_ name: String) {
    damagedCount += 1
    if damagedNames.count < Self.damagedNameLimit { damagedNames.append(name) }
  }
}

extension SessionList: JSONConvertible {
  package var json: JSONValue {
    [
      "sessions": JSONValue(sessions),
      "total": [
        "sessions": .integer(total.sessionCount), "tokens": .integer(total.tokenCount),
        "bytes": [
          "logical": .integer(total.logicalByteCount), "unique": .integer(total.uniqueByteCount),
          "ownDisk": .integer(total.ownDiskByteCount),
        ],
      ],
      "stored": .integer(storedCount),
      "damaged": ["sessions": .integer(damagedCount), "names": .array(damagedNames.map { .string($0) })],
      "oneSnapshot": .bool(isOneSnapshot),
    ]
  }
}
