import KVBlocks

// Invariants:
// - All arrays have one element a block, in the order of the blocks' keys: by space, then by hash.
// - `spaces` cover them without gaps; a directory's entry `b` is the first block whose hash begins with `b` or more.

/// All blocks of a store in compact arrays, about 80 bytes each: what an audit holds every link against.
struct AuditIndex: Sendable {
  struct Flags: OptionSet {
    let rawValue: UInt8
    /// Its record cannot be read: nothing but its key is known.
    static let unreadable = Flags(rawValue: 1)
    /// `children` lists it under its parent.
    static let listed = Flags(rawValue: 2)
    /// `recency` lists it at its last use.
    static let recent = Flags(rawValue: 4)
  }

  private struct Space {
    var id: SpaceID
    var range: Range<Int>
    /// First blocks by the leading bits of their hashes.
    var directory: [UInt32] = []
    var directoryBits = 0
  }

  private(set) var hashes: [BlockHash] = []
  /// The first 8 bytes of their parents' hashes: what tells hashes apart for all that damage can do.
  private(set) var parentWords: [UInt64] = []
  private(set) var sessionCounts: [UInt32] = []
  private(set) var lastUses: [UInt64] = []
  private(set) var tokenCounts: [UInt32] = []
  /// XXH3 of the tokens as they are stored.
  private(set) var tokenDigests: [UInt64] = []
  private(set) var frameChecksums: [UInt64] = []
  var references: [UInt32] = []
  var flags: [Flags] = []
  private var spaces: [Space] = []

  var count: Int { hashes.count }

  mutating func reserve(_ count: Int) {
    hashes.reserveCapacity(count)
    parentWords.reserveCapacity(count)
    frameChecksums.reserveCapacity(count)
    sessionCounts.reserveCapacity(count)
    lastUses.reserveCapacity(count)
    tokenCounts.reserveCapacity(count)
    tokenDigests.reserveCapacity(count)
    references.reserveCapacity(count)
    flags.reserveCapacity(count)
  }

  /// - Precondition: keys come in their order.
  mutating func append(_ key: BlockKey, _ head: BlockHead?, tokenDigest: UInt64) {
    if spaces.last?.id != key.space { spaces.append(Space(id: key.space, range: count..<count)) }
    hashes.append(key.hash)
    parentWords.append(head?.parent.words.0 ?? 0)
    frameChecksums.append(head?.frameChecksum ?? 0)
    sessionCounts.append(head?.sessionCount ?? 0)
    lastUses.append(head?.lastUseMicroseconds ?? 0)
    tokenCounts.append(UInt32(clamping: head?.tokenCount ?? 0))
    tokenDigests.append(tokenDigest)
    references.append(0)
    flags.append(head == nil ? .unreadable : [])
    spaces[spaces.count - 1].range = spaces[spaces.count - 1].range.lowerBound..<count
  }

  /// Makes the directories, once all blocks are there.
  mutating func finish() {
    for index in spaces.indices {
      let range = spaces[index].range
      let bits = min(24, Int.bitWidth - range.count.leadingZeroBitCount)
      var directory = [UInt32](repeating: UInt32(range.upperBound), count: 1 << bits + 1)
      var bucket = 0
      for position in range {
        let own = Self.bucket(of: hashes[position], bits: bits)
        while bucket <= own {
          directory[bucket] = UInt32(position)
          bucket += 1
        }
      }
      spaces[index].directory = directory
      spaces[index].directoryBits = bits
    }
  }

  private static func bucket(of hash: BlockHash, bits: Int) -> Int { bucket(ofWord: hash.words.0, bits: bits) }

  private static func bucket(ofWord word: UInt64, bits: Int) -> Int {
    bits == 0 ? 0 : Int(truncatingIfNeeded: word.bigEndian >> UInt64(64 - bits))
  }

  func position(of key: BlockKey) -> Int? { position(of: key.hash, in: key.space) }

  func position(of hash: BlockHash, in space: SpaceID) -> Int? {
    guard let space = spaces.first(where: { $0.id == space }) else { return nil }
    let bucket = Self.bucket(of: hash, bits: space.directoryBits)
    var low = Int(space.directory[bucket])
    var high = Int(space.directory[bucket + 1])
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(hashes[middle], hash) { low = middle + 1 } else { high = middle }
    }
    return low < space.range.upperBound && hashes[low] == hash ? low : nil
  }

  /// Whether a block's parent is stored.
  func holdsParent(of position: Int) -> Bool {
    let word = parentWords[position]
    guard let space = spaces.first(where: { $0.range.contains(position) }) else { return false }
    let bucket = Self.bucket(ofWord: word, bits: space.directoryBits)
    var low = Int(space.directory[bucket])
    var high = Int(space.directory[bucket + 1])
    while low < high {
      let middle = (low + high) / 2
      if hashes[middle].words.0.bigEndian < word.bigEndian { low = middle + 1 } else { high = middle }
    }
    return low < space.range.upperBound && hashes[low].words.0 == word
  }

  /// Byte by byte, as LMDB orders keys.
  private static func precedes(_ a: BlockHash, _ b: BlockHash) -> Bool {
    let (a, b) = (a.words, b.words)
    if a.0 != b.0 { return a.0.bigEndian < b.0.bigEndian }
    if a.1 != b.1 { return a.1.bigEndian < b.1.bigEndian }
    if a.2 != b.2 { return a.2.bigEndian < b.2.bigEndian }
    return a.3.bigEndian < b.3.bigEndian
  }

  /// Whether no block of a space was seen.
  func isEmpty(_ space: SpaceID) -> Bool { !spaces.contains { $0.id == space } }

  func key(_ position: Int) -> BlockKey {
    BlockKey(space: space(of: position), hash: hashes[position])
  }

  func space(of position: Int) -> SpaceID {
    spaces.first { $0.range.contains(position) }?.id ?? SpaceID(rawValue: 0)
  }
}
