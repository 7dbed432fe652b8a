import KVBlocks
import KVDiskTier

/// Which blocks are wanted, and in which order.
package struct BlockQuery: Hashable, Sendable {
  package enum Order: String, Hashable, Sendable, CaseIterable {
    /// Largest frames first.
    case size
    /// Longest unused first.
    case age
    /// Most sessions first.
    case sharing
    /// Most tokens first.
    case tokens
    /// Most hits first.
    case hits
  }

  package var space: SpaceID?
  /// Only blocks of this session.
  package var session: String?
  /// Only blocks that no session holds.
  package var isUnreferenced = false
  /// Only blocks that at least so many sessions hold.
  package var leastSessionCount = 0
  package var leastFrameByteCount = 0
  /// Only blocks that were last used at this moment or before; microseconds since 1970.
  package var unusedSinceMicroseconds: UInt64?
  package var prefix: HashPrefix?
  package var order = Order.size
  /// The other end of the order first.
  package var isReversed = false
  /// Nil: all of them.
  package var limit: Int?

  package init() {}
}

/// The blocks that a query found, in its order. Of each only its place in the index is kept.
package struct BlockList {
  package struct Entry: Hashable, Sendable {
    package var key: BlockKey
    /// Tokens before it, from the root; nil where its chain is broken.
    package var tokenOffset: Int?
    package var tokenCount: Int
    package var rowByteCount: Int
    package var frameByteCount: Int
    package var sessionCount: Int
    /// Look-ups that found it, 65,535 for so many or more.
    package var hitCount: Int
    package var lastUseMicroseconds: UInt64
  }

  /// All that were found, also beyond the limit.
  package let matched: PrefixTree.Amount
  /// Blocks that were looked through.
  package let storedCount: Int
  package let damagedCount: Int
  package let isOneSnapshot: Bool
  private let index: BlockIndex
  private let positions: [Int32]
  private let tokenOffsets: [Int]

  package var count: Int { positions.count }

  package subscript(place: Int) -> Entry {
    let position = Int(positions[place])
    let block = index[position]
    return Entry(
      key: block.key, tokenOffset: tokenOffsets[place] >= 0 ? tokenOffsets[place] : nil, tokenCount: block.tokenCount,
      rowByteCount: block.payloadByteCount, frameByteCount: block.frameByteCount, sessionCount: block.sessionCount,
      hitCount: block.hitCount, lastUseMicroseconds: block.lastUseMicroseconds)
  }

  /// - Parameter only: the positions that may be found; nil: all.
  init(_ index: BlockIndex, _ query: BlockQuery, only: Set<Int32>?) {
    var matched = PrefixTree.Amount()
    let precedes = Self.order(index, query)
    // What comes last is on top of the queue, and leaves when there are too many.
    var chosen = LargestFirst<Int32> { precedes($1, $0) }
    let limit = query.limit ?? .max
    for position in 0..<index.count where Self.matches(index, position, query) {
      if let only, !only.contains(Int32(position)) { continue }
      matched.add(index.amount(position))
      if chosen.count < limit {
        chosen.insert(Int32(position))
      } else if let last = chosen.largest, precedes(Int32(position), last) {
        _ = chosen.popLargest()
        chosen.insert(Int32(position))
      }
    }
    var positions: [Int32] = []
    positions.reserveCapacity(chosen.count)
    while let position = chosen.popLargest() { positions.append(position) }
    positions.reverse()
    tokenOffsets = Self.tokenOffsets(of: positions, index)
    self.positions = positions
    self.matched = matched
    self.index = index
    storedCount = index.count
    damagedCount = index.damagedCount
    isOneSnapshot = index.outcome.isOneSnapshot
  }

  private static func matches(_ index: BlockIndex, _ position: Int, _ query: BlockQuery) -> Bool {
    let sessionCount = index.sessionCount(at: position)
    if query.isUnreferenced, sessionCount > 0 { return false }
    if sessionCount < query.leastSessionCount { return false }
    if index.frameByteCount(at: position) < query.leastFrameByteCount { return false }
    if let moment = query.unusedSinceMicroseconds, index.lastUseMicroseconds(at: position) > moment { return false }
    return query.prefix?.matches(index.hash(at: position)) ?? true
  }

  /// Where two blocks are equal, by space and hash.
  private static func order(_ index: BlockIndex, _ query: BlockQuery) -> (Int32, Int32) -> Bool {
    func ordered<Key: Comparable>(_ key: @escaping (Int) -> Key, ascending: Bool) -> (Int32, Int32) -> Bool {
      let isAscending = ascending != query.isReversed
      return { a, b in
        let (first, second) = (key(Int(a)), key(Int(b)))
        if first == second { return a < b }
        return (first < second) == isAscending
      }
    }
    return switch query.order {
    case .size: ordered({ index.frameByteCount(at: $0) }, ascending: false)
    case .age: ordered({ index.lastUseMicroseconds(at: $0) }, ascending: true)
    case .sharing: ordered({ index.sessionCount(at: $0) }, ascending: false)
    case .tokens: ordered({ index.tokenCount(at: $0) }, ascending: false)
    case .hits: ordered({ index.hitCount(at: $0) }, ascending: false)
    }
  }

  /// Tokens before each block. Each chain is walked up to what is known already, so that all of them together take one
  /// pass.
  private static func tokenOffsets(of positions: [Int32], _ index: BlockIndex) -> [Int] {
    let (unknown, broken, onPath) = (-1, -2, -3)
    var offsets = [Int](repeating: unknown, count: index.count)
    var path: [Int32] = []
    for position in positions where offsets[Int(position)] == unknown {
      var current = position
      while current >= 0, offsets[Int(current)] == unknown {
        offsets[Int(current)] = onPath
        path.append(current)
        current = index.parents[Int(current)]
      }
      // Of the block at hand: where it begins.
      var next = current == BlockIndex.atRoot ? 0 : broken
      if current >= 0, case let known = offsets[Int(current)], known >= 0 {
        next = known &+ index.tokenCount(at: Int(current))
      }
      while let block = path.popLast() {
        offsets[Int(block)] = next
        if next >= 0 { next = next &+ index.tokenCount(at: Int(block)) }
      }
    }
    return positions.map { offsets[Int($0)] }
  }
}

extension BlockList.Entry: JSONConvertible {
  package var json: JSONValue {
    [
      "hash": .string(key.hash.description), "space": .unsigned(UInt64(key.space.rawValue)),
      "tokenOffset": tokenOffset.map { .integer($0) } ?? .null, "tokens": .integer(tokenCount),
      "bytes": ["rows": .integer(rowByteCount), "frame": .integer(frameByteCount)],
      "sessions": .integer(sessionCount), "hits": .integer(hitCount),
      "lastUseMicroseconds": .unsigned(lastUseMicroseconds),
    ]
  }
}

extension StoreInspector {
  /// Blocks by what they are. Memory is about 110 bytes for each stored block at its peak.
  /// - Throws: `notFound` for a space or session that is not there.
  package func blocks(_ query: BlockQuery) throws(StoreError) -> BlockList {
    try withTier { (tier) throws(StoreError) in
      var query = query
      var session: SessionRecord?
      if let name = query.session {
        let record = try sessionRecord(named: name, space: query.space, tier)
        (session, query.space) = (record, record.space)
      }
      let spaces = try spaces(query.space, tier)
      let index = try BlockIndex(
        tier, space: query.space, roots: Dictionary(spaces.map { ($0.id, $0.root) }) { first, _ in first })
      let only = session.map { session in
        Set(session.blocks.compactMap { index.position(of: $0, in: session.space).map { Int32($0) } })
      }
      return BlockList(index, query, only: only)
    }
  }
}
