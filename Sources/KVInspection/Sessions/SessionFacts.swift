import KVBlocks
import KVDiskTier

/// A session, all but its tokens and blocks.
package struct SessionFacts: Hashable, Sendable {
  package var space: SpaceID
  package var name: String
  package var revision: UInt64
  package var createdMicroseconds: UInt64
  package var updatedMicroseconds: UInt64
  package var expiresMicroseconds: UInt64?
  /// When it was changed or its last block was used, whichever is later.
  package var lastUseMicroseconds: UInt64
  package var tokenCount: Int
  package var blockCount: Int
  /// Blocks that another session holds too.
  package var sharedBlockCount = 0
  /// Blocks of the session that are gone or whose record is damaged: the session cannot be resumed whole.
  package var missingBlockCount = 0
  /// Bytes of rows of all its blocks.
  package var logicalByteCount = 0
  /// Bytes of rows of the blocks that no other session holds.
  package var uniqueByteCount = 0
  /// Bytes of its blocks' frames.
  package var compressedByteCount = 0
  /// Bytes of the file that its blocks take, shared ones included.
  package var diskByteCount = 0
  /// Bytes of the file that deleting the session lets go: blocks that no other session holds, its record and
  /// checkpoint.
  package var ownDiskByteCount: Int
  package var checkpointByteCount: Int
  /// Bytes of its record: name, tokens, block table, metadata.
  package var recordByteCount: Int
  /// Bytes that the engine's file format keeps around the rows.
  package var originByteCount: Int
  package var metadata: [String: String]

  /// Bytes of rows of the blocks that other sessions hold too.
  package var sharedByteCount: Int { logicalByteCount - uniqueByteCount }

  /// What the record says; blocks are added one by one.
  init(_ summary: SessionSummary, _ record: SessionRecord) {
    space = record.space
    name = record.name
    revision = record.revision
    createdMicroseconds = record.createdMicroseconds
    updatedMicroseconds = record.updatedMicroseconds
    expiresMicroseconds = record.expiresMicroseconds
    lastUseMicroseconds = record.updatedMicroseconds
    tokenCount = record.tokens.count
    blockCount = record.blocks.count
    checkpointByteCount = record.checkpointByteCount
    recordByteCount = summary.body.byteCount
    originByteCount = record.origin.count
    metadata = record.metadata
    ownDiskByteCount = summary.body.id == 0 ? 0 : summary.body.diskByteCount
    ownDiskByteCount += summary.checkpoint?.frame.diskByteCount ?? 0
  }

  /// - Parameters:
  ///   - block: nil where it is gone or damaged.
  ///   - isLast: the last of the session's table. Those before it may be used through other sessions.
  mutating func add(_ block: BlockIndex.Entry?, isLast: Bool) {
    guard let block else {
      missingBlockCount += 1
      return
    }
    logicalByteCount &+= block.payloadByteCount
    compressedByteCount &+= block.frameByteCount
    diskByteCount &+= block.diskByteCount
    if block.sessionCount > 1 {
      sharedBlockCount += 1
    } else {
      uniqueByteCount &+= block.payloadByteCount
      ownDiskByteCount &+= block.diskByteCount
    }
    if isLast { lastUseMicroseconds = max(lastUseMicroseconds, block.lastUseMicroseconds) }
  }
}

extension SessionFacts: JSONConvertible {
  package var json: JSONValue { .object(members) }

  var members: [String: JSONValue] {
    [
      "space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "revision": .unsigned(revision),
      "createdMicroseconds": .unsigned(createdMicroseconds), "updatedMicroseconds": .unsigned(updatedMicroseconds),
      "expiresMicroseconds": JSONValue(expiresMicroseconds), "lastUseMicroseconds": .unsigned(lastUseMicroseconds),
      "tokens": .integer(tokenCount),
      "blocks": [
        "count": .integer(blockCount), "shared": .integer(sharedBlockCount), "missing": .integer(missingBlockCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "shared": .integer(sharedByteCount), "compressed": .integer(compressedByteCount),
        "disk": .integer(diskByteCount), "ownDisk": .integer(ownDiskByteCount),
        "checkpoint": .integer(checkpointByteCount), "record": .integer(recordByteCount),
        "origin": .integer(originByteCount),
      ],
      "metadata": .object(metadata.mapValues { .string($0) }),
    ]
  }
}
