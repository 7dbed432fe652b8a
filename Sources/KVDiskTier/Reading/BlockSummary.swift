import KVBlocks

/// A stored block's record without what has no fixed size: tokens, extra keys and codec uses.
package struct BlockSummary: Hashable, Sendable {
  package var key: BlockKey
  package var parent: BlockHash
  package var tokenCount: Int
  package var frame: FrameReference
  /// Bytes of rows, before the codec.
  package var payloadByteCount: Int
  /// How often sessions' block tables hold the block.
  package var sessionCount: Int
  /// Microseconds since 1970.
  package var lastUseMicroseconds: UInt64
  /// How often the block was found by a look-up of a prefix (wholly, or its first rows) or held by a session that was
  /// resumed; at most 65,535. Hits are written with the store's next transaction, none of a process that was killed
  /// since or opened the store for reading only.
  package var hitCount: Int

  init(key: BlockKey, _ head: BlockHead) {
    self.key = key
    parent = head.parent
    tokenCount = head.tokenCount
    frame = head.frame
    payloadByteCount = head.payloadByteCount
    sessionCount = Int(head.sessionCount)
    lastUseMicroseconds = head.lastUseMicroseconds
    hitCount = Int(head.hitCount)
  }
}
