import KVBlocks
import KVDiskTier

/// What a store is.
package struct StoreInfo: Hashable, Sendable {
  package struct Contents: Hashable, Sendable {
    package var formatVersion: Int
    /// 32 hexadecimal digits, random.
    package var storeID: String
    package var createdMicroseconds: UInt64
    package var spaces: [SpaceFacts]
    package var statistics: StoreStatistics
  }

  package var path: String
  /// The guard's report; nil where not even its meta pages can be followed.
  package var file: LMDBFileReport?
  /// Why the store does not open; nil where it does.
  package var refusal: String?
  /// Nil where the store does not open.
  package var contents: Contents?
}

/// A cache space and what it holds.
package struct SpaceFacts: Hashable, Sendable {
  package var space: SpaceRecord
  package var sessionCount: Int
  package var blockCount: Int
  package var referenceCount: Int
  package var logicalByteCount: Int
  package var uniqueByteCount: Int
  package var compressedByteCount: Int

  /// - Parameter counts: nil for a space that holds nothing.
  init(_ space: SpaceRecord, _ counts: DiskStatistics.Blocks?) {
    self.space = space
    sessionCount = counts?.sessionCount ?? 0
    blockCount = counts?.uniqueCount ?? 0
    referenceCount = counts?.referenceCount ?? 0
    logicalByteCount = counts?.logicalPayloadBytes ?? 0
    uniqueByteCount = counts?.uniquePayloadBytes ?? 0
    compressedByteCount = counts?.frameBytes ?? 0
  }
}

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

  init(_ record: SessionRecord, blocks: [BlockFacts]) {
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
    func isShared(_ block: BlockFacts) -> Bool { block.sessionCount > own[block.hash] ?? 0 }
    func sum(_ blocks: [BlockFacts], _ bytes: (BlockFacts) -> Int) -> Int { blocks.reduce(0) { $0 &+ bytes($1) } }
    sharedBlockCount = blocks.count(where: isShared)
    missingBlockCount = blocks.count { !$0.isStored }
    logicalByteCount = sum(blocks) { $0.payloadByteCount }
    uniqueByteCount = sum(blocks.filter { !isShared($0) }) { $0.payloadByteCount }
    compressedByteCount = sum(blocks) { $0.frameByteCount }
    diskByteCount = sum(blocks) { $0.diskByteCount }
  }
}

/// A session with its tokens and blocks.
package struct SessionDetail: Hashable, Sendable {
  package var facts: SessionFacts
  package var tokens: [Token]
  package var blocks: [BlockFacts]
}

/// A block as a session holds it.
package struct BlockFacts: Hashable, Sendable {
  package var hash: BlockHash
  /// The session's token with which the block begins.
  package var tokenOffset: Int
  package var tokenCount: Int
  package var isStored: Bool
  /// How often sessions' block tables hold it.
  package var sessionCount: Int
  package var lastUseMicroseconds: UInt64
  package var payloadByteCount: Int
  package var frameByteCount: Int
  package var diskByteCount: Int

  init(hash: BlockHash, tokenOffset: Int, record: BlockRecord?) {
    self.hash = hash
    self.tokenOffset = tokenOffset
    tokenCount = record?.tokens.count ?? 0
    isStored = record != nil
    sessionCount = Int(record?.sessionCount ?? 0)
    lastUseMicroseconds = record?.lastUseMicroseconds ?? 0
    payloadByteCount = record?.payloadByteCount ?? 0
    frameByteCount = record?.frame.byteCount ?? 0
    diskByteCount = record?.frame.diskByteCount ?? 0
  }
}
