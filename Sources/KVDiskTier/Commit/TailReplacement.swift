import KVBlocks
import SafeLMDB

/// What becomes of a tail when a longer block has its tokens.
extension CommitRun {
  /// Deletes a session's former tail where the block in its place begins with the same tokens: then the tail has
  /// nothing that the longer block has not, and a session that grows token by token leaves no trail of tails behind. It
  /// stays where another session, an open one or a stored block still needs it.
  func deleteReplacedTail(
    _ tail: BlockHash, by block: BlockHash, _ space: SpaceID, _ transaction: inout WriteTransaction,
    _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) {
    let key = BlockKey(space: space, hash: tail)
    guard !isProtected(key), let head = try replaced(key, by: block, transaction) else { return }
    try tables.deleteBlock(key, head, &transaction)
  }

  /// Deletes cached tails that a new block begins with, wherever they came from: a conversation that is stored again
  /// and again as it grows would leave one each time.
  func deleteOutgrownTails(
    by block: BlockDescriptor, _ transaction: inout WriteTransaction, _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) {
    let parent = BlockKey(space: block.key.space, hash: block.parent)
    // A prompt goes on in few ways; where it does in many, as behind the root, looking would cost more than it saves.
    let siblings = try tables.childHashes(of: parent, limit: Self.siblingLimit, transaction)
    guard siblings.count > 1, siblings.count < Self.siblingLimit else { return }
    for sibling in siblings where sibling != block.key.hash {
      try deleteReplacedTail(sibling, by: block.key.hash, block.key.space, &transaction, isProtected)
    }
  }

  private static var siblingLimit: Int { 16 }

  private func replaced(
    _ key: BlockKey, by block: BlockHash, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> BlockHead? {
    do throws(StoreError) {
      guard let tail = try tables.blockRecord(key, transaction), tail.sessionCount == 0,
        let longer = try tables.blockRecord(BlockKey(space: key.space, hash: block), transaction),
        longer.parent == tail.parent, longer.encodedExtra == tail.encodedExtra,
        longer.tokens.count > tail.tokens.count, longer.tokens.starts(with: tail.tokens),
        try tables.childHashes(of: key, transaction).isEmpty
      else { return nil }
      return try tables.blockHead(key, transaction)
    } catch {
      guard error.code == .damaged else { throw error }
      return nil
    }
  }
}
