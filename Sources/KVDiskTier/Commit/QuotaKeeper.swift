import KVBlocks
import SafeLMDB

/// Deletes blocks that no session refers to, least recently used first, until the store fits.
struct QuotaKeeper {
  let tables: Tables
  /// Deletes while more pages than this are in use.
  let targetPageCount: Int
  /// Deletes no more blocks than this.
  var deletionLimit = Int.max
  private(set) var deletedBlockCount = 0
  private static let scanCount = 64

  init(tables: Tables, targetPageCount: Int, deletionLimit: Int = .max) {
    self.tables = tables
    self.targetPageCount = targetPageCount
    self.deletionLimit = deletionLimit
  }

  /// True where the store fits afterwards, or the limit on deletions ended the work.
  mutating func run(
    _ transaction: inout WriteTransaction, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> Bool {
    var start: InlineArray<44, UInt8>?
    while try tables.usedPageCount(transaction) > targetPageCount {
      let candidates = try leastRecent(from: start, transaction)
      guard let last = candidates.last else { return false }
      for candidate in candidates {
        guard deletedBlockCount < deletionLimit else { return true }
        try delete(candidate.key, lastUse: candidate.lastUse, &transaction, isProtected)
        if try tables.usedPageCount(transaction) <= targetPageCount { return true }
      }
      start = Keys.recency(lastUse: last.lastUse, last.key)
    }
    return true
  }

  /// The next entries of the recency table after `start`.
  private func leastRecent(
    from start: InlineArray<44, UInt8>?, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> [(lastUse: UInt64, key: BlockKey)] {
    var entries: [(lastUse: UInt64, key: BlockKey)] = []
    let first = start ?? InlineArray(repeating: 0)
    try transaction.forEach(in: tables.recency, from: first.span.bytes) { (bytes, _) throws(StoreError) in
      guard let entry = Keys.recency(of: bytes) else { return true }
      let isAfterStart =
        start == nil
        || bytes.withUnsafeBytes { entry in
          first.span.bytes.withUnsafeBytes { !entry.elementsEqual($0) }
        }
      if isAfterStart { entries.append(entry) }
      return entries.count < Self.scanCount
    }
    return entries
  }

  /// Deletes a block and the blocks stored after it, deepest first; leaves them all where one of them is protected or a
  /// session's.
  mutating func delete(
    _ key: BlockKey, lastUse: UInt64, _ transaction: inout WriteTransaction, _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) {
    guard let chain = try deletable(from: key, transaction, isProtected) else { return }
    if chain.isEmpty { try tables.removeRecency(key, lastUse, &transaction) }
    for (key, head) in chain.reversed() {
      try tables.deleteBlock(key, head, &transaction)
      deletedBlockCount += 1
    }
  }

  /// A block and its stored descendants, parents first. Nil: they must stay. Empty: the block is gone already. What
  /// `children` lists under a block that is not its parent is none of them: a damaged entry neither leads in a circle
  /// nor to blocks of others.
  private func deletable(
    from key: BlockKey, _ transaction: borrowing WriteTransaction, _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> [(key: BlockKey, head: BlockHead)]? {
    var found: [(key: BlockKey, head: BlockHead)] = []
    var open: [(key: BlockKey, parent: BlockHash?)] = [(key, nil)]
    while let (next, parent) = open.popLast() {
      let head: BlockHead
      do throws(StoreError) {
        guard let stored = try tables.blockHead(next, transaction) else { continue }
        head = stored
      } catch  where error.code == .damaged {
        // What cannot be read might be a session's.
        return nil
      }
      if let parent, head.parent != parent || next == key { continue }
      guard !isProtected(next), head.sessionCount == 0 else { return nil }
      found.append((next, head))
      for hash in try tables.childHashes(of: next, transaction) {
        open.append((BlockKey(space: key.space, hash: hash), next.hash))
      }
    }
    return found
  }
}
