import KVBlocks
import SafeLMDB

extension DiskTier {
  /// The stored blocks of a space whose hashes lie in a range of both ends, by hash, `limit` of them at most. Those
  /// whose record is damaged are among them.
  package func blockKeys(
    in space: SpaceID, from least: BlockHash, through greatest: BlockHash, limit: Int
  ) throws(StoreError) -> [BlockKey] {
    var keys: [BlockKey] = []
    let start = Keys.block(BlockKey(space: space, hash: least))
    let end = greatest.bytes
    try environment.read { (transaction) throws(StoreError) in
      try transaction.forEach(in: tables.blocks, from: start.span.bytes) { (bytes, _) throws(StoreError) in
        guard let key = Keys.block(of: bytes), key.space == space, keys.count < limit,
          !end.lexicographicallyPrecedes(key.hash.bytes)
        else { return false }
        keys.append(key)
        return true
      }
    }
    return keys
  }
}
