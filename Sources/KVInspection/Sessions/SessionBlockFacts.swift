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
