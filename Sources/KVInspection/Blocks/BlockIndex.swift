import KVBlocks
import KVDiskTier

// Invariants:
// - All arrays have one entry a block, in the order of space and hash.
// - `parents[i]` is the parent's place, `atRoot` or `stray`; a block is never its own parent.
// - `spaces` holds each space's places; its ranges follow one another and make up all of them.

/// Every stored block's numbers, and who hangs on whom, from one scan: about 75 bytes a block, so that a million blocks
/// fit where a million records, tokens and all, would not.
struct BlockIndex {
  /// The parent is the space's root.
  static let atRoot: Int32 = -1
  /// The parent is not stored.
  static let stray: Int32 = -2

  private(set) var spaces: [SpaceID: Range<Int>] = [:]
  private(set) var hashes: [BlockHash] = []
  private(set) var parents: [Int32] = []
  private(set) var tokenCounts: [UInt32] = []
  private(set) var rowByteCounts: [Int] = []
  private(set) var frameByteCounts: [Int] = []
  private(set) var sessionCounts: [UInt32] = []
  private(set) var lastUses: [UInt64] = []
  private(set) var damagedCount = 0
  private(set) var isOneSnapshot = true

  var count: Int { hashes.count }

  /// Scans the blocks of `space`, or of all spaces.
  /// - Parameter roots: each space's root.
  init(_ tier: DiskTier, space: SpaceID?, roots: [SpaceID: BlockHash]) throws(StoreError) {
    var parentHashes: [BlockHash] = []
    reserve(try tier.storedBlockCount(), &parentHashes)
    var damaged = 0
    var current: SpaceID?
    var start = 0
    let outcome = try tier.scanBlocks(in: space, damaged: { _, _ in damaged += 1 }) { (block) throws(StoreError) in
      guard hashes.count < Int(Int32.max) else {
        throw .invalidArgument("the store has more than \(Int32.max) blocks: ask for one space with --space")
      }
      if current != block.key.space {
        if let current { spaces[current] = start..<hashes.count }
        (current, start) = (block.key.space, hashes.count)
      }
      hashes.append(block.key.hash)
      parentHashes.append(block.parent)
      tokenCounts.append(UInt32(clamping: block.tokenCount))
      rowByteCounts.append(block.payloadByteCount)
      frameByteCounts.append(block.frame.byteCount)
      sessionCounts.append(UInt32(clamping: block.sessionCount))
      lastUses.append(block.lastUseMicroseconds)
      return true
    }
    if let current { spaces[current] = start..<hashes.count }
    damagedCount = damaged
    isOneSnapshot = outcome.isOneSnapshot
    resolve(parentHashes, roots)
  }

  /// The table's own count keeps the arrays from doubling; it is a hint, and the file's size bounds it.
  private mutating func reserve(_ count: Int, _ parentHashes: inout [BlockHash]) {
    hashes.reserveCapacity(count)
    parentHashes.reserveCapacity(count)
    tokenCounts.reserveCapacity(count)
    rowByteCounts.reserveCapacity(count)
    frameByteCounts.reserveCapacity(count)
    sessionCounts.reserveCapacity(count)
    lastUses.reserveCapacity(count)
  }

  private mutating func resolve(_ parentHashes: [BlockHash], _ roots: [SpaceID: BlockHash]) {
    parents = [Int32](repeating: Self.stray, count: count)
    for (space, places) in spaces {
      let root = roots[space]
      for place in places {
        let parent = parentHashes[place]
        if parent == root {
          parents[place] = Self.atRoot
        } else if let found = self.place(of: parent, among: places), found != place {
          parents[place] = Int32(found)
        }
      }
    }
  }

  /// Where the block stands; nil where it is not stored.
  func place(of hash: BlockHash, in space: SpaceID) -> Int? {
    spaces[space].flatMap { place(of: hash, among: $0) }
  }

  /// Hashes are spread evenly, so that the first guesses come from the hash itself; where somebody chose them, halving
  /// the rest still ends soon.
  private func place(of hash: BlockHash, among places: Range<Int>) -> Int? {
    let wanted = hash.order
    var (low, high) = (places.lowerBound, places.upperBound)
    var (lowWord, highWord) = (UInt64.min, UInt64.max)
    var guesses = 0
    while low < high {
      let middle: Int
      if guesses < 4, wanted.0 >= lowWord, highWord > lowWord {
        let part = Double(wanted.0 - lowWord) / Double(highWord - lowWord)
        middle = min(max(low + Int(part * Double(high - low)), low), high - 1)
      } else {
        middle = low + (high - low) / 2
      }
      guesses += 1
      let found = hashes[middle].order
      if found == wanted { return middle }
      if found < wanted { (low, lowWord) = (middle + 1, found.0) } else { (high, highWord) = (middle, found.0) }
    }
    return nil
  }
}

extension BlockHash {
  /// Compares as the bytes do.
  fileprivate var order: (UInt64, UInt64, UInt64, UInt64) {
    (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
  }
}
