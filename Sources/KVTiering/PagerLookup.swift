import KVBlocks
import KVMemoryTier

/// How much of a chain can be had.
package struct PrefixCount: Hashable, Sendable {
  /// Leading blocks that are in RAM or on disk.
  package var blockCount: Int
  /// How many of them are in RAM.
  package var memoryBlockCount: Int

  package init(blockCount: Int, memoryBlockCount: Int) {
    self.blockCount = blockCount
    self.memoryBlockCount = memoryBlockCount
  }
}

/// What can be had, without moving anything.
extension Pager {
  /// The leading blocks of a chain (root first) that are available. Counts as a use of them, and as a hit.
  package func availablePrefix(of hashes: [BlockHash], in space: SpaceID) throws(StoreError) -> PrefixCount {
    core.awaitDeletions(of: hashes, in: space)
    let (resident, stored) = try core.state.withLock { state throws(StoreError) -> (Int, Int) in
      try state.checkOpen()
      return state.residentPrefix(of: hashes, in: space)
    }
    var available = resident
    if resident < hashes.count {
      available = max(resident, try core.cold.storedPrefixCount(of: hashes, in: space, known: stored))
    }
    let (count, ringsBell) = core.state.withLock { state in
      let count = state.extendPrefix(of: hashes, in: space, from: available)
      state.touch(hashes[..<count.blockCount], in: space, usesFrames: true, isHit: true)
      return (count, state.wantsTouchesFlushed)
    }
    if ringsBell { core.writerBell.advance() }
    return count
  }

  /// A session's chain (root first) was asked for by its name and is about to be used: a use and a hit of each block.
  package func noteResumed(_ hashes: [BlockHash], in space: SpaceID) {
    let ringsBell = core.state.withLock { state in
      state.touch(hashes[...], in: space, usesFrames: true, isHit: true)
      return state.wantsTouchesFlushed
    }
    if ringsBell { core.writerBell.advance() }
  }

  /// Rows of a block that ``partialMatch(after:tokens:in:encodedExtra:)`` found are about to be used.
  package func notePartialHit(of key: BlockKey) { core.state.withLock { $0.noteHit(of: key) } }

  /// The child of `parent` that begins with the most of `tokens` (at least one): where a prefix ends inside a block,
  /// its first `tokenCount` rows can still be used. Only children with the extra keys `encodedExtra` count (canonical
  /// CBOR; null: none).
  package func partialMatch(
    after parent: BlockHash, tokens: ArraySlice<Token>, in space: SpaceID, encodedExtra: [UInt8] = [0xf6]
  ) throws(StoreError) -> (key: BlockKey, tokenCount: Int)? {
    guard !tokens.isEmpty else { return nil }
    let parentKey = BlockKey(space: space, hash: parent)
    var best: (key: BlockKey, tokenCount: Int)?
    let resident = try core.state.withLock { state throws(StoreError) -> [BlockDescriptor] in
      try state.checkOpen()
      return state.pool.children(of: parentKey).compactMap { state.pool.contents(of: $0)?.descriptor }
    }
    for child in resident where child.encodedExtra == encodedExtra {
      let count = Self.sharedCount(child.tokens, tokens)
      if count > best?.tokenCount ?? 0 { best = (child.key, count) }
    }
    if best?.tokenCount == tokens.count { return best }
    let stored = try core.cold.children(of: parent, in: space)
    let damaged = core.state.withLock { $0.damagedKeys }
    for child in stored {
      let key = BlockKey(space: space, hash: child.hash)
      let count = Self.sharedCount(child.tokens, tokens)
      guard count > best?.tokenCount ?? 0, !damaged.contains(key) else { continue }
      // The hash tells whether the child was computed with the same extra keys.
      let expected = ChainHash.hash(parent: parent, tokens: child.tokens, encodedExtra: encodedExtra)
      guard expected == child.hash else { continue }
      best = (key, count)
    }
    return best
  }

  private static func sharedCount(_ a: [Token], _ b: ArraySlice<Token>) -> Int {
    var count = 0
    for (x, y) in zip(a, b) {
      guard x == y else { break }
      count += 1
    }
    return count
  }

  /// Whether a block is in RAM or, as far as is known, whole on disk.
  package func isAvailable(_ key: BlockKey) throws(StoreError) -> Bool {
    core.awaitDeletion(of: key)
    let known = try core.state.withLock { state throws(StoreError) -> Bool? in
      try state.checkOpen()
      // One that is loading may yet turn out not to be there: the disk knows.
      if state.pool.findReadable(key) != nil { return true }
      return state.damagedKeys.contains(key) ? false : nil
    }
    if let known { return known }
    return try core.cold.contains(key)
  }
}

extension Pager {
  /// Whether a block's rows can be read from RAM now.
  package func isResident(_ key: BlockKey) -> Bool { core.state.withLock { $0.pool.findReadable(key) != nil } }
}

extension PagerState {
  /// The leading blocks that can be read from RAM, and how many of them are stored too: below an unstored one the disk
  /// is not asked.
  func residentPrefix(of hashes: [BlockHash], in space: SpaceID) -> (resident: Int, stored: Int) {
    var resident = 0
    var stored = 0
    for hash in hashes {
      guard let frame = pool.findReadable(BlockKey(space: space, hash: hash)) else { break }
      if stored == resident, pool[frame].isStored { stored += 1 }
      resident += 1
    }
    return (resident, stored)
  }

  /// From `available` blocks on: cuts at one that is damaged on disk and not in RAM, goes on over those in RAM only.
  func extendPrefix(of hashes: [BlockHash], in space: SpaceID, from available: Int) -> PrefixCount {
    var count = PrefixCount(blockCount: 0, memoryBlockCount: 0)
    for (index, hash) in hashes.enumerated() {
      let key = BlockKey(space: space, hash: hash)
      if pool.findReadable(key) != nil {
        count.memoryBlockCount += 1
      } else if index >= available || (!damagedKeys.isEmpty && damagedKeys.contains(key)) {
        break
      }
      count.blockCount += 1
    }
    return count
  }
}
