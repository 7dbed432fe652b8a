import KVBlocks

// Invariants:
// - Until `sort()` in the order in which they were found, then by space and hash, each key once.
// - `chains`, `lastUses` and `holderCounts` have one entry for each block once `sort()` is done.

/// The blocks of which a frame's header was found, whole or not.
struct RawBlockIndex {
  struct Block {
    var key: BlockKey
    var parent: BlockHash
    var frame: UInt64
    /// The first of its pieces; they follow one another.
    var firstPiece: UInt32
    var pieceCount: UInt16
    /// Every plane's checksum holds, and the hash is that of what the frame was computed from.
    var isWhole: Bool
    var frameByteCount: Int
    /// Which of the file's layouts the frame has.
    var layout: UInt32
  }

  enum Chain: UInt8 {
    case unknown
    /// It and all blocks before it are whole, up to the root.
    case whole
    case broken
  }

  private(set) var blocks: [Block] = []
  private(set) var layouts: [BlockLayout] = []
  private var layoutNumbers: [BlockLayout: UInt32] = [:]
  var chains: [Chain] = []
  var lastUses: [UInt64] = []
  /// How many sessions that come back hold the block.
  private(set) var holderCounts: [UInt32] = []

  mutating func append(_ block: Block) { blocks.append(block) }

  mutating func number(of layout: BlockLayout) -> UInt32 {
    if let number = layoutNumbers[layout] { return number }
    let number = UInt32(layouts.count)
    layouts.append(layout)
    layoutNumbers[layout] = number
    return number
  }

  /// Of several frames of one block the newest is meant, whole or not: an older one may hold other bytes.
  mutating func sort() {
    blocks.sort { a, b in
      if a.key != b.key { return Self.precedes(a.key, b.key) }
      if a.frame != b.frame { return a.frame > b.frame }
      return a.isWhole && !b.isWhole
    }
    var kept = 0
    for index in blocks.indices where index == 0 || blocks[index].key != blocks[kept - 1].key {
      blocks[kept] = blocks[index]
      kept += 1
    }
    blocks.removeLast(blocks.count - kept)
    chains = Array(repeating: .unknown, count: kept)
    lastUses = Array(repeating: 0, count: kept)
    holderCounts = Array(repeating: 0, count: kept)
  }

  /// Nil where no frame of the block was found. Only after `sort()`.
  func index(of key: BlockKey) -> Int? {
    var (low, high) = (0, blocks.count)
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(blocks[middle].key, key) { low = middle + 1 } else { high = middle }
    }
    return low < blocks.count && blocks[low].key == key ? low : nil
  }

  /// What a block's record says: when it was used last, and which of its frames is the newest.
  mutating func note(_ key: BlockKey, frame: UInt64, lastUse: UInt64) {
    guard let index = index(of: key) else { return }
    if frame > blocks[index].frame { blocks[index].isWhole = false }
    lastUses[index] = max(lastUses[index], lastUse)
  }

  /// A session that comes back holds the block, and used it then if no record knows better.
  mutating func hold(_ index: Int, lastUse: UInt64) {
    holderCounts[index] += 1
    if lastUses[index] == 0 { lastUses[index] = lastUse }
  }

  /// Settles which blocks can be reached from their space's root, given by `space` with the layout that they must have.
  mutating func settleChains(space: (SpaceID) -> (root: BlockHash, layout: UInt32)?) {
    var open: [Int] = []
    for start in blocks.indices where chains[start] == .unknown {
      open.removeAll(keepingCapacity: true)
      var index = start
      var outcome = Chain.unknown
      while outcome == .unknown {
        let block = blocks[index]
        open.append(index)
        guard block.isWhole, let space = space(block.key.space), space.layout == block.layout else {
          outcome = .broken
          break
        }
        if block.parent == space.root {
          outcome = .whole
        } else if let parent = self.index(of: BlockKey(space: block.key.space, hash: block.parent)) {
          index = parent
          outcome = chains[parent]
          // SHA-256 has no circles, and a file that claims one ends here.
          if outcome == .unknown, open.count > blocks.count { outcome = .broken }
        } else {
          outcome = .broken
        }
      }
      for index in open { chains[index] = outcome }
    }
  }

  private static func precedes(_ a: BlockKey, _ b: BlockKey) -> Bool {
    if a.space != b.space { return a.space < b.space }
    let (x, y) = (a.hash.words, b.hash.words)
    if x.0 != y.0 { return x.0 < y.0 }
    if x.1 != y.1 { return x.1 < y.1 }
    if x.2 != y.2 { return x.2 < y.2 }
    return x.3 < y.3
  }
}
