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
  package var tokenCount: Int
  package var blockCount: Int
  /// Blocks that another session holds too.
  package var sharedBlockCount: Int
  /// Blocks of the session that are gone or whose record is damaged: the session cannot be resumed whole.
  package var missingBlockCount: Int
  /// Bytes of rows of all its blocks.
  package var logicalByteCount: Int
  /// Bytes of rows of the blocks that no other session holds.
  package var uniqueByteCount: Int
  /// Bytes of its blocks' frames.
  package var compressedByteCount: Int
  /// Bytes of the file that its blocks take, shared ones included.
  package var diskByteCount: Int
  package var checkpointByteCount: Int
  /// Bytes that the engine's file format keeps around the rows.
  package var originByteCount: Int
  package var metadata: [String: String]

  init(_ record: SessionRecord, blocks: [SessionBlockFacts]) {
    space = record.space
    name = record.name
    revision = record.revision
    createdMicroseconds = record.createdMicroseconds
    updatedMicroseconds = record.updatedMicroseconds
    expiresMicroseconds = record.expiresMicroseconds
    tokenCount = record.tokens.count
    blockCount = blocks.count
    checkpointByteCount = record.checkpointByteCount
    originByteCount = record.origin.count
    metadata = record.metadata
    var own: [BlockHash: Int] = [:]
    for block in blocks { own[block.hash, default: 0] += 1 }
    func isShared(_ block: SessionBlockFacts) -> Bool { block.sessionCount > own[block.hash] ?? 0 }
    func sum(_ blocks: [SessionBlockFacts], _ bytes: (SessionBlockFacts) -> Int) -> Int {
      blocks.reduce(0) { $0 &+ bytes($1) }
    }
    sharedBlockCount = blocks.count(where: isShared)
    missingBlockCount = blocks.count { !$0.isStored }
    logicalByteCount = sum(blocks) { $0.payloadByteCount }
    uniqueByteCount = sum(blocks.filter { !isShared($0) }) { $0.payloadByteCount }
    compressedByteCount = sum(blocks) { $0.frameByteCount }
    diskByteCount = sum(blocks) { $0.diskByteCount }
  }
}

extension SessionFacts: JSONConvertible {
  package var json: JSONValue { .object(members) }

  var members: [String: JSONValue] {
    [
      "space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "revision": .unsigned(revision),
      "createdMicroseconds": .unsigned(createdMicroseconds), "updatedMicroseconds": .unsigned(updatedMicroseconds),
      "expiresMicroseconds": JSONValue(expiresMicroseconds), "tokens": .integer(tokenCount),
      "blocks": [
        "count": .integer(blockCount), "shared": .integer(sharedBlockCount), "missing": .integer(missingBlockCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount),
        "checkpoint": .integer(checkpointByteCount), "origin": .integer(originByteCount),
      ],
      "metadata": .object(metadata.mapValues { .string($0) }),
    ]
  }
}
