import KVBlocks
import KVDiskTier

/// Counts of the whole store: what `stats` shows.
package struct StoreStatistics: Hashable, Sendable {
  /// All spaces together.
  package var total = SpaceCount()
  /// By id.
  package var spaces: [SpaceFacts] = []
  /// Sessions whose expiry has passed.
  package var expiredSessionCount = 0
  /// Bytes of the file's pages in use, all tables included.
  package var diskByteCount = 0
  /// Bytes of the file: pages that wait to be used again included.
  package var fileByteCount = 0
  /// Bytes of the sessions' checkpoints, after the codec.
  package var checkpointByteCount = 0
  /// Bytes of the sessions' records: names, tokens, block tables, metadata.
  package var sessionRecordByteCount = 0
  package var deletableBlockCount = 0
  package var damagedRecordCount = 0
  package var sharing = SharingHistogram()
  package var ages: AgeHistogram
  package var waste = StoreWaste()
  /// What the guard counted in the file; LMDB's tables among it.
  package var file: LMDBFileReport
  package var readers: [ReaderFacts] = []
  /// Nil where no frame's header was asked for.
  package var planes: PlaneStatistics?
  /// Nil: not known. A quota belongs to the process that keeps it.
  package var quotaByteCount: Int?
  /// Nobody committed while the store was read: all figures are of one moment.
  package var isOneSnapshot = true

  init(file: LMDBFileReport, nowMicroseconds: UInt64) {
    self.file = file
    ages = AgeHistogram(nowMicroseconds: nowMicroseconds)
    waste.add(file)
  }

  package var sessionCount: Int { total.sessionCount }
  /// Blocks stored.
  package var uniqueBlockCount: Int { total.blockCount }
  /// Places in sessions' block tables.
  package var blockReferenceCount: Int { total.referenceCount }
  /// Bytes of rows as if each session had its own.
  package var logicalByteCount: Int { total.logicalByteCount }
  /// Bytes of rows of the blocks stored, before the codec.
  package var uniqueByteCount: Int { total.uniqueByteCount }
  /// Bytes of the blocks' frames, after the codec.
  package var compressedByteCount: Int { total.compressedByteCount }

  /// How many times fewer bytes are left after each step; nil where there are none.
  package var sharingFactor: Double? { Self.factor(logicalByteCount, uniqueByteCount) }
  package var codecFactor: Double? { Self.factor(uniqueByteCount, compressedByteCount) }
  package var storageFactor: Double? { Self.factor(compressedByteCount, diskByteCount) }
  package var wholeFactor: Double? { Self.factor(logicalByteCount, diskByteCount) }

  package var staleReaderCount: Int { readers.count(where: \.isStale) }

  private static func factor(_ before: Int, _ after: Int) -> Double? {
    before > 0 && after > 0 ? Double(before) / Double(after) : nil
  }
}

extension StoreStatistics: JSONConvertible {
  package var json: JSONValue { .object(members) }

  private var members: [String: JSONValue] {
    func number(_ value: Double?) -> JSONValue { value.map { .number(($0 * 10_000).rounded() / 10_000) } ?? .null }
    return [
      "sessions": .integer(sessionCount), "expiredSessions": .integer(expiredSessionCount),
      "blocks": [
        "unique": .integer(uniqueBlockCount), "references": .integer(blockReferenceCount),
        "deletable": .integer(deletableBlockCount),
      ],
      "tokens": .integer(total.tokenCount),
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount), "file": .integer(fileByteCount),
        "checkpoints": .integer(checkpointByteCount), "sessionRecords": .integer(sessionRecordByteCount),
      ],
      "factors": [
        "sharing": number(sharingFactor), "codec": number(codecFactor), "storage": number(storageFactor),
        "whole": number(wholeFactor),
      ],
      "spaces": .array(spaces.map(\.countJSON)), "planes": planes?.json ?? .null,
      "sharing": JSONValue(sharing.bins), "ages": JSONValue(ages.bins),
      "nowMicroseconds": .unsigned(ages.nowMicroseconds), "waste": waste.json,
      "lmdb": file.lmdbJSON, "readers": JSONValue(readers),
      "quotaBytes": quotaByteCount.map { .integer($0) } ?? .null, "oneSnapshot": .bool(isOneSnapshot),
      "damagedRecords": .integer(damagedRecordCount),
    ]
  }
}
