import KVBlocks
import KVDiskTier

/// What a store is.
package struct StoreInfo: Hashable, Sendable {
  package struct Contents: Hashable, Sendable {
    package var formatVersion: Int
    /// 32 hexadecimal digits, random.
    package var storeID: String
    package var createdMicroseconds: UInt64
    package var statistics: StoreStatistics

    package var spaces: [SpaceFacts] { statistics.spaces }
  }

  package var path: String
  /// The guard's report; nil where not even its meta pages can be followed.
  package var file: LMDBFileReport?
  /// Why the store does not open; nil where it does.
  package var refusal: String?
  /// Nil where the store does not open.
  package var contents: Contents?

  /// The store opens, and every record of it could be read.
  package var isSound: Bool { refusal == nil && contents?.statistics.damagedRecordCount == 0 }
}

extension StoreInfo: JSONConvertible {
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "path": .string(path), "opens": .bool(refusal == nil), "refusal": JSONValue(refusal),
    ]
    members["file"] = file?.json ?? .null
    if let contents {
      members["formatVersion"] = .integer(contents.formatVersion)
      members["storeID"] = .string(contents.storeID)
      members["createdMicroseconds"] = .unsigned(contents.createdMicroseconds)
      members["spaces"] = JSONValue(contents.spaces)
      members["stats"] = contents.statistics.json
    }
    members["health"] = [
      "sound": .bool(isSound),
      "damagedRecords": contents.map { .integer($0.statistics.damagedRecordCount) } ?? .null,
      "expiredSessions": contents.map { .integer($0.statistics.expiredSessionCount) } ?? .null,
      "staleReaders": contents.map { .integer($0.statistics.staleReaderCount) } ?? .null,
    ]
    return .object(members)
  }
}
