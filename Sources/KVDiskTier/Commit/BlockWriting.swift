import KVBlocks
import KVCodec
import SafeLMDB

/// Blocks in a write transaction: `blocks`, `children`, `recency` and their extents change together here and nowhere
/// else.
extension Tables {
  /// Stores a new block that no session refers to yet.
  func insertBlock(
    _ record: BlockRecord, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    try putBlock(record, &transaction)
    let parent = BlockKey(space: record.key.space, hash: record.parent)
    try transaction.write(Keys.child(of: parent, hash: record.key.hash).span.bytes, RawSpan(), in: children)
    if record.sessionCount == 0 { try addRecency(record.key, record.lastUseMicroseconds, &transaction) }
  }

  /// Whether a block's parent lists it.
  func isListed(
    _ block: BlockDescriptor, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> Bool {
    let parent = BlockKey(space: block.key.space, hash: block.parent)
    return try transaction.holds(Keys.child(of: parent, hash: block.key.hash).span.bytes, in: children)
  }

  func putBlock(_ record: BlockRecord, _ transaction: inout WriteTransaction) throws(StoreError) {
    let key = Keys.block(record.key)
    let value = BlockFormat.encode(record)
    try transaction.write(key.span.bytes, value.span.bytes, in: blocks)
  }

  /// Stamps a block where `lastUse` is later than its stamp, and adds to its hits. False where it is not stored.
  @discardableResult
  func touchBlock(
    _ key: BlockKey, lastUse: UInt64, hitCount: Int = 0, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> Bool {
    guard let stored = try blockBytes(key, transaction) else { return false }
    let head = stored.head
    var bytes = stored.bytes
    let hits = UInt16(clamping: Int(head.hitCount) + hitCount)
    let isLater = lastUse > head.lastUseMicroseconds
    guard isLater || hits != head.hitCount else { return true }
    BlockFormat.update(
      &bytes, sessionCount: head.sessionCount, lastUse: max(lastUse, head.lastUseMicroseconds), hitCount: hits)
    try transaction.write(Keys.block(key).span.bytes, bytes.span.bytes, in: blocks)
    if isLater, head.sessionCount == 0 {
      try removeRecency(key, head.lastUseMicroseconds, &transaction)
      try addRecency(key, lastUse, &transaction)
    }
    return true
  }

  /// One session more (`by` 1) or less (-1) holds the block. A block that no session holds may be deleted by the quota.
  func changeSessionCount(
    of key: BlockKey, by change: Int, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    guard let stored = try blockBytes(key, transaction) else { return }
    let head = stored.head
    var bytes = stored.bytes
    guard let count = UInt32(exactly: Int(head.sessionCount) + change) else {
      throw .damagedRecord("block", "a session count of \(Int(head.sessionCount) + change)")
    }
    BlockFormat.update(&bytes, sessionCount: count, lastUse: head.lastUseMicroseconds)
    try transaction.write(Keys.block(key).span.bytes, bytes.span.bytes, in: blocks)
    if head.sessionCount == 0, count > 0 { try removeRecency(key, head.lastUseMicroseconds, &transaction) }
    if head.sessionCount > 0, count == 0 { try addRecency(key, head.lastUseMicroseconds, &transaction) }
  }

  /// Deletes a block that has no stored children, with its frame.
  func deleteBlock(_ key: BlockKey, _ head: BlockHead, _ transaction: inout WriteTransaction) throws(StoreError) {
    try deleteFrame(head.frame, &transaction)
    let parent = BlockKey(space: key.space, hash: head.parent)
    try transaction.remove(Keys.child(of: parent, hash: key.hash).span.bytes, in: children)
    try removeRecency(key, head.lastUseMicroseconds, &transaction)
    try transaction.remove(Keys.block(key).span.bytes, in: blocks)
  }

  private func addRecency(
    _ key: BlockKey, _ lastUse: UInt64, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    try transaction.write(Keys.recency(lastUse: lastUse, key).span.bytes, RawSpan(), in: recency)
  }

  func removeRecency(
    _ key: BlockKey, _ lastUse: UInt64, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    try transaction.remove(Keys.recency(lastUse: lastUse, key).span.bytes, in: recency)
  }
}
