import KVBlocks
import KVDiskTier

/// Counts of the whole store: what `stats` shows.
package struct StoreStatistics: Hashable, Sendable {
  package var sessionCount: Int
  /// Blocks stored.
  package var uniqueBlockCount: Int
  /// Places in sessions' block tables.
  package var blockReferenceCount: Int
  /// Bytes of rows as if each session had its own.
  package var logicalByteCount: Int
  /// Bytes of rows of the blocks stored, before the codec.
  package var uniqueByteCount: Int
  /// Bytes of the blocks' frames, after the codec.
  package var compressedByteCount: Int
  /// Bytes of the file's pages in use, all tables included.
  package var diskByteCount: Int
  /// Bytes of the file: pages that wait to be used again included.
  package var fileByteCount: Int
  package var checkpointByteCount: Int
  package var deletableBlockCount: Int
  package var damagedRecordCount: Int

  init(_ statistics: DiskStatistics) {
    sessionCount = statistics.total.sessionCount
    uniqueBlockCount = statistics.total.uniqueCount
    blockReferenceCount = statistics.total.referenceCount
    logicalByteCount = statistics.total.logicalPayloadBytes
    uniqueByteCount = statistics.total.uniquePayloadBytes
    compressedByteCount = statistics.total.frameBytes
    diskByteCount = statistics.usedBytes
    fileByteCount = statistics.diskBytes
    checkpointByteCount = statistics.checkpointFrameBytes
    deletableBlockCount = statistics.deletableBlockCount
    damagedRecordCount = statistics.damagedRecordCount
  }
}

extension StoreStatistics: JSONConvertible {
  package var json: JSONValue {
    [
      "sessions": .integer(sessionCount),
      "blocks": [
        "unique": .integer(uniqueBlockCount), "references": .integer(blockReferenceCount),
        "deletable": .integer(deletableBlockCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount), "file": .integer(fileByteCount),
        "checkpoints": .integer(checkpointByteCount),
      ],
      "damagedRecords": .integer(damagedRecordCount),
    ]
  }
}
