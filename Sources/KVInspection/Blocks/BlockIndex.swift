import KVBlocks
import KVDiskTier

// Invariants:
// - Blocks lie by space and hash, each once; all arrays have one element a block.
// - `spaces` has each space that has blocks, by id, and where its blocks lie: ranges that follow one another.
// - A block at `p` of a space lies in the bucket that the first bits of its hash name: `starts[bucket]` is at most `p`,
//   `starts[bucket + 1]` is greater.
// - Where parents are wanted, `parents` has one element a block: its parent's position, `atRoot` or `stray`.

/// What a store's blocks are, in RAM for many look-ups: some 65 bytes a block. Made by one scan.
package struct BlockIndex: Sendable {
  /// One block's facts.
  package struct Entry: Hashable, Sendable {
    package var key: BlockKey
    package var tokenCount: Int
    /// How often sessions' block tables hold the block.
    package var sessionCount: Int
    package var lastUseMicroseconds: UInt64
    /// Bytes of rows, before the codec.
    package var payloadByteCount: Int
    package var frameByteCount: Int
  }

  /// The parent is the space's root.
  static let atRoot: Int32 = -1
  /// The parent is not stored.
  static let stray: Int32 = -2

  private struct SpaceRange {
    var space: SpaceID
    var range: Range<Int>
    /// Bits of a hash that name its bucket; the space's buckets begin at `firstBucket` in `starts`.
    var bucketBitCount = 0
    var firstBucket = 0
  }

  private var hashes: [BlockHash] = []
  private var tokenCounts: [UInt32] = []
  private var sessionCounts: [UInt32] = []
  private var lastUses: [UInt64] = []
  private var payloadByteCounts: [UInt64] = []
  private var frameByteCounts: [UInt64] = []
  private var spaces: [SpaceRange] = []
  private var starts: [UInt32] = []
  /// Empty where they were not asked for.
  private(set) var parents: [Int32] = []
  /// Records that could not be read.
  package private(set) var damagedCount = 0
  package private(set) var outcome = ScanOutcome()

  /// Reads all blocks' records, or those of one space.
  /// - Parameter roots: each space's root, where blocks' parents are wanted too: 4 bytes a block more, and 32 while the
  ///   index is made.
  package init(_ tier: DiskTier, space: SpaceID? = nil, roots: [SpaceID: BlockHash]? = nil) throws(StoreError) {
    if space == nil { reserve(min(try tier.storedBlockCount(), 1 << 24)) }
    var parentHashes: [BlockHash] = []
    if roots != nil { parentHashes.reserveCapacity(hashes.capacity) }
    var damaged = 0
    let scanned = try tier.scanBlocks(in: space, damaged: { _, _ in damaged += 1 }) { (block) throws(StoreError) in
      try append(block)
      if roots != nil { parentHashes.append(block.parent) }
      return true
    }
    outcome = scanned
    damagedCount = damaged
    for index in spaces.indices { fillBuckets(ofSpaceAt: index) }
    if let roots { resolve(parentHashes, roots) }
  }

  package var count: Int { hashes.count }

  /// - Precondition: `position` is less than ``count``.
  package subscript(position: Int) -> Entry {
    Entry(
      key: BlockKey(space: space(at: position), hash: hashes[position]), tokenCount: Int(tokenCounts[position]),
      sessionCount: Int(sessionCounts[position]), lastUseMicroseconds: lastUses[position],
      payloadByteCount: Int(payloadByteCounts[position]), frameByteCount: Int(frameByteCounts[position]))
  }

  package func tokenCount(at position: Int) -> Int { Int(tokenCounts[position]) }
  package func sessionCount(at position: Int) -> Int { Int(sessionCounts[position]) }
  package func payloadByteCount(at position: Int) -> Int { Int(payloadByteCounts[position]) }
  package func frameByteCount(at position: Int) -> Int { Int(frameByteCounts[position]) }
  package func lastUseMicroseconds(at position: Int) -> UInt64 { lastUses[position] }
  package func hash(at position: Int) -> BlockHash { hashes[position] }

  /// Where a space's blocks lie, by hash.
  package func positions(in space: SpaceID) -> Range<Int> { spaces.first { $0.space == space }?.range ?? 0..<0 }

  /// Where a block lies; nil where it is not stored.
  package func position(of hash: BlockHash, in space: SpaceID) -> Int? {
    guard let found = spaces.first(where: { $0.space == space }) else { return nil }
    let bucket = found.firstBucket + Self.bucket(of: hash, bitCount: found.bucketBitCount)
    var (low, high) = (Int(starts[bucket]), Int(starts[bucket + 1]))
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(hashes[middle], hash) { low = middle + 1 } else { high = middle }
    }
    return low < Int(starts[bucket + 1]) && hashes[low] == hash ? low : nil
  }

  package func assertInvariants() {
    assert(spaces.map(\.range.count).reduce(0, +) == count)
    assert([tokenCounts.count, sessionCounts.count, lastUses.count].allSatisfy { $0 == count })
    for space in spaces {
      for position in space.range.dropFirst() { assert(Self.precedes(hashes[position - 1], hashes[position])) }
      for position in space.range { assert(self.position(of: hashes[position], in: space.space) == position) }
    }
  }

  // MARK: Making it

  private mutating func reserve(_ count: Int) {
    hashes.reserveCapacity(count)
    tokenCounts.reserveCapacity(count)
    sessionCounts.reserveCapacity(count)
    lastUses.reserveCapacity(count)
    payloadByteCounts.reserveCapacity(count)
    frameByteCounts.reserveCapacity(count)
  }

  private mutating func append(_ block: BlockSummary) throws(StoreError) {
    guard count < Int(Int32.max) else {
      throw .invalidArgument("the store has more than \(Int32.max) blocks: ask for one space with --space")
    }
    if spaces.last?.space != block.key.space {
      spaces.append(SpaceRange(space: block.key.space, range: count..<count))
    }
    hashes.append(block.key.hash)
    tokenCounts.append(UInt32(clamping: block.tokenCount))
    sessionCounts.append(UInt32(clamping: block.sessionCount))
    lastUses.append(block.lastUseMicroseconds)
    payloadByteCounts.append(UInt64(clamping: block.payloadByteCount))
    frameByteCounts.append(UInt64(clamping: block.frame.byteCount))
    let last = spaces.count - 1
    spaces[last].range = spaces[last].range.lowerBound..<count
  }

  private mutating func resolve(_ parentHashes: [BlockHash], _ roots: [SpaceID: BlockHash]) {
    parents = [Int32](repeating: Self.stray, count: count)
    for (space, positions) in spaces.map({ ($0.space, $0.range) }) {
      let root = roots[space]
      for position in positions {
        let hash = parentHashes[position]
        if hash == root {
          parents[position] = Self.atRoot
        } else if let parent = self.position(of: hash, in: space), parent != position {
          parents[position] = Int32(truncatingIfNeeded: parent)
        }
      }
    }
  }

  /// Buckets of some eight blocks: hashes are spread evenly.
  private mutating func fillBuckets(ofSpaceAt index: Int) {
    let range = spaces[index].range
    var bitCount = 0
    while bitCount < 24, range.count >> (bitCount + 3) > 1 { bitCount += 1 }
    spaces[index].bucketBitCount = bitCount
    spaces[index].firstBucket = starts.count
    var position = range.lowerBound
    for bucket in 0..<(1 << bitCount) {
      starts.append(UInt32(position))
      while position < range.upperBound, Self.bucket(of: hashes[position], bitCount: bitCount) == bucket {
        position += 1
      }
    }
    starts.append(UInt32(range.upperBound))
  }

  private static func bucket(of hash: BlockHash, bitCount: Int) -> Int {
    bitCount == 0 ? 0 : Int(UInt64(bigEndian: hash.words.0) >> UInt64(64 - bitCount))
  }

  private static func precedes(_ a: BlockHash, _ b: BlockHash) -> Bool {
    if a.words.0 != b.words.0 { return UInt64(bigEndian: a.words.0) < UInt64(bigEndian: b.words.0) }
    if a.words.1 != b.words.1 { return UInt64(bigEndian: a.words.1) < UInt64(bigEndian: b.words.1) }
    if a.words.2 != b.words.2 { return UInt64(bigEndian: a.words.2) < UInt64(bigEndian: b.words.2) }
    return UInt64(bigEndian: a.words.3) < UInt64(bigEndian: b.words.3)
  }

  private func space(at position: Int) -> SpaceID {
    var (low, high) = (0, spaces.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if spaces[middle].range.upperBound <= position { low = middle + 1 } else { high = middle }
    }
    return spaces[low].space
  }
}
