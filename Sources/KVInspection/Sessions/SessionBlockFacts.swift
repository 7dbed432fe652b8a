import KVBlocks
import KVDiskTier

/// A block as a session holds it.
package struct SessionBlockFacts: Hashable, Sendable {
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

  init(hash: BlockHash, tokenOffset: Int, stored: BlockIndex.Entry?) {
    self.hash = hash
    self.tokenOffset = tokenOffset
    tokenCount = stored?.tokenCount ?? 0
    isStored = stored != nil
    sessionCount = stored?.sessionCount ?? 0
    lastUseMicroseconds = stored?.lastUseMicroseconds ?? 0
    payloadByteCount = stored?.payloadByteCount ?? 0
    frameByteCount = stored?.frameByteCount ?? 0
    diskByteCount = stored?.diskByteCount ?? 0
  }
}

/// Blocks of a session that follow one another and are alike: of one size, held by as many sessions.
package struct SessionBlockRun: Hashable, Sendable {
  /// Places in the session's block table.
  package var blocks: Range<Int>
  package var tokenOffset: Int
  package var tokenCount: Int
  package var isStored: Bool
  package var sessionCount: Int
  /// The latest of theirs.
  package var lastUseMicroseconds: UInt64
  package var payloadByteCount: Int
  package var frameByteCount: Int
  /// Of the last of them.
  package var hash: BlockHash

  package static func runs(of blocks: [SessionBlockFacts]) -> [SessionBlockRun] {
    var runs: [SessionBlockRun] = []
    for (index, block) in blocks.enumerated() {
      if let run = runs.last, run.isStored == block.isStored, run.sessionCount == block.sessionCount,
        blocks[run.blocks.lowerBound].tokenCount == block.tokenCount
      {
        runs[runs.count - 1].append(block)
      } else {
        runs.append(SessionBlockRun(block, at: index))
      }
    }
    return runs
  }

  private init(_ block: SessionBlockFacts, at index: Int) {
    blocks = index..<index + 1
    tokenOffset = block.tokenOffset
    tokenCount = block.tokenCount
    isStored = block.isStored
    sessionCount = block.sessionCount
    lastUseMicroseconds = block.lastUseMicroseconds
    payloadByteCount = block.payloadByteCount
    frameByteCount = block.frameByteCount
    hash = block.hash
  }

  private mutating func append(_ block: SessionBlockFacts) {
    blocks = blocks.lowerBound..<blocks.upperBound + 1
    tokenCount += block.tokenCount
    lastUseMicroseconds = max(lastUseMicroseconds, block.lastUseMicroseconds)
    payloadByteCount &+= block.payloadByteCount
    frameByteCount &+= block.frameByteCount
    hash = block.hash
  }
}

extension SessionBlockFacts: JSONConvertible {
  package var json: JSONValue {
    [
      "hash": .string(hash.description), "tokenOffset": .integer(tokenOffset), "tokens": .integer(tokenCount),
      "stored": .bool(isStored), "sessions": .integer(sessionCount),
      "lastUseMicroseconds": .unsigned(lastUseMicroseconds),
      "bytes": [
        "payload": .integer(payloadByteCount), "frame": .integer(frameByteCount), "disk": .integer(diskByteCount),
      ],
    ]
  }
}
