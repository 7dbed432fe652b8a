/// A sequence's ordered blocks: full ones first, then perhaps one tail. Block `i` holds the sequence's tokens from
/// `i * blockTokenCount` on.
package struct BlockTable: Hashable, Sendable {
  package let blockTokenCount: Int
  package private(set) var hashes: [BlockHash]
  package private(set) var tokenCount: Int

  package init(blockTokenCount: Int) {
    self.blockTokenCount = blockTokenCount
    hashes = []
    tokenCount = 0
  }

  /// - Precondition: `hashes` are as many blocks as `tokenCount` tokens fill.
  package init(blockTokenCount: Int, hashes: [BlockHash], tokenCount: Int) {
    precondition(hashes.count == (tokenCount + blockTokenCount - 1) / blockTokenCount, "blocks and tokens disagree")
    self.blockTokenCount = blockTokenCount
    self.hashes = hashes
    self.tokenCount = tokenCount
  }

  package var blockCount: Int { hashes.count }
  package var fullBlockCount: Int { tokenCount / blockTokenCount }
  package var tailTokenCount: Int { tokenCount % blockTokenCount }

  /// The tokens of the sequence that block `index` holds.
  package func tokenRange(ofBlock index: Int) -> Range<Int> {
    index * blockTokenCount..<min((index + 1) * blockTokenCount, tokenCount)
  }

  /// Adds a block after the last full one, taking a tail's place where there is one.
  package mutating func replaceTail(with hash: BlockHash, tokenCount count: Int) {
    precondition((1...blockTokenCount).contains(count), "a block holds 1 to \(blockTokenCount) tokens")
    if tailTokenCount > 0 { hashes.removeLast() }
    tokenCount = fullBlockCount * blockTokenCount + count
    hashes.append(hash)
  }

  /// Forgets all but the first `count` blocks, which must be full.
  package mutating func keepFullBlocks(_ count: Int) {
    precondition(count <= fullBlockCount)
    hashes.removeLast(hashes.count - count)
    tokenCount = count * blockTokenCount
  }
}
