import KVBlocks
import KVDiskTier

// Invariants:
// - A draft's children come after it in `drafts`, so that going backwards puts children into finished parents.
// - `waiting` holds the blocks with which nodes begin that are wanted and not made yet.

/// Cuts the forest down to the nodes that were asked for, the largest first, and collapses runs.
struct PrefixTreeBuilder {
  /// A node without its children.
  private struct Draft {
    var node: PrefixTree.Node
    /// Its place in `drafts`; nil: a space.
    var parent: Int?
    var space: Int
    /// The run's first blocks, as many as text is wanted of.
    var opening: [BlockHash] = []
  }

  /// A node to be made.
  private struct Candidate {
    var place: Int32
    var parent: Int?
    var space: Int
    var level: Int
    var tokenOffset: Int
    var frameByteCount: Int
  }

  private let index: BlockIndex
  private let forest: PrefixForest
  private let ends: SessionEnds
  private let options: TreeOptions
  private var drafts: [Draft] = []
  private var waiting: LargestFirst<Candidate>
  /// The blocks of the one session that is wanted; nil: all are.
  private var path: Set<Int32>?
  private var frameByteCount = 0

  init(_ index: BlockIndex, _ forest: PrefixForest, _ ends: SessionEnds, _ options: TreeOptions) {
    (self.index, self.forest, self.ends, self.options) = (index, forest, ends, options)
    waiting = LargestFirst { ($0.frameByteCount, -Int($0.place)) > ($1.frameByteCount, -Int($1.place)) }
  }

  /// - Parameters:
  ///   - path: the blocks of the one session that is wanted.
  ///   - text: makes text of a node, whose first blocks it is given where tokens are wanted.
  mutating func tree(
    of records: [SpaceRecord], path hashes: [BlockHash]?,
    text: (SpaceID, PrefixTree.Node, [BlockHash]) throws(StoreError) -> String? = { _, _, _ in nil }
  ) throws(StoreError) -> PrefixTree {
    var tree = PrefixTree(
      spaces: records.map(space), amount: .init(), sessionCount: 0, strayBlockCount: forest.unreachableCount,
      damagedBlockCount: index.damagedCount, damagedSessionCount: ends.damagedCount,
      isOneSnapshot: index.outcome.isOneSnapshot && ends.isOneSnapshot)
    for space in tree.spaces {
      tree.amount.add(space.amount)
      tree.sessionCount += space.sessionCount
    }
    for top in forest.tops where index.parents[Int(top)] == BlockIndex.stray {
      tree.strayBlockCount += forest.subtrees[Int(top)].blockCount
    }
    frameByteCount = tree.amount.frameByteCount
    if let hashes, let space = records.first?.id {
      path = Set(hashes.compactMap { index.position(of: $0, in: space).map(Int32.init) })
    }
    for place in tree.spaces.indices {
      tree.spaces[place].share = share(tree.spaces[place].amount)
      let tops = tops(of: tree.spaces[place].id)
      tree.spaces[place].other = choose(tops, parent: nil, space: place, level: 1, tokenOffset: 0)
    }
    while drafts.count < options.nodeLimit, let candidate = waiting.popLargest() { make(candidate) }
    while let candidate = waiting.popLargest() { sumUp(candidate, &tree) }
    for place in drafts.indices {
      let draft = drafts[place]
      drafts[place].node.text = try text(tree.spaces[draft.space].id, draft.node, draft.opening)
    }
    assemble(&tree)
    return tree
  }

  private func space(_ record: SpaceRecord) -> PrefixTree.Space {
    var amount = PrefixTree.Amount()
    for place in index.positions(in: record.id) { amount.add(index.amount(place)) }
    return PrefixTree.Space(
      id: record.id, model: record.fingerprint.model, blockTokenCount: record.layout.blockTokenCount,
      root: record.root, amount: amount, share: 0, sessionCount: ends.sessionCounts[record.id] ?? 0,
      emptySessionCount: ends.emptyCounts[record.id] ?? 0, lostSessionCount: ends.lostCounts[record.id] ?? 0,
      children: [], other: nil)
  }

  private func tops(of space: SpaceID) -> ArraySlice<Int32> {
    let places = index.positions(in: space)
    func first(from place: Int) -> Int {
      var (low, high) = (0, forest.tops.count)
      while low < high {
        let middle = (low + high) / 2
        if forest.tops[middle] < Int32(place) { low = middle + 1 } else { high = middle }
      }
      return low
    }
    return forest.tops[first(from: places.lowerBound)..<first(from: places.upperBound)]
  }

  private func share(_ amount: PrefixTree.Amount) -> Double {
    frameByteCount > 0 ? Double(amount.frameByteCount) / Double(frameByteCount) : 0
  }

  /// Lets the largest of `places` wait to be made; the others are summed up.
  private mutating func choose(
    _ places: ArraySlice<Int32>, parent: Int?, space: Int, level: Int, tokenOffset: Int
  ) -> PrefixTree.Other? {
    var other: PrefixTree.Other?
    var chosen = LargestFirst<Candidate> {
      ($0.frameByteCount, -Int($0.place)) < ($1.frameByteCount, -Int($1.place))
    }
    for place in places {
      guard level <= options.depth, path?.contains(place) ?? true else {
        add(place, to: &other)
        continue
      }
      chosen.insert(
        Candidate(
          place: place, parent: parent, space: space, level: level, tokenOffset: tokenOffset,
          frameByteCount: forest.subtrees[Int(place)].frameByteCount))
      if chosen.count > options.width, let smallest = chosen.popLargest() { add(smallest.place, to: &other) }
    }
    while let candidate = chosen.popLargest() { waiting.insert(candidate) }
    return other
  }

  private func add(_ place: Int32, to other: inout PrefixTree.Other?) {
    var sum = other ?? PrefixTree.Other(childCount: 0, amount: .init(), sessionCount: 0)
    sum.childCount += 1
    sum.amount.add(forest.subtrees[Int(place)])
    sum.sessionCount += index.sessionCount(at: Int(place))
    other = sum
  }

  /// Makes the node that begins with the candidate's block, as far as nothing branches off and no session ends.
  private mutating func make(_ candidate: Candidate) {
    let first = Int(candidate.place)
    var last = first
    var own = index.amount(first)
    var lastUse = index.lastUseMicroseconds(at: first)
    var opening = options.wantsTokens ? [index.hash(at: first)] : []
    while true {
      let children = forest.children(of: Int32(last))
      guard let child = children.first, children.count == 1,
        index.sessionCount(at: Int(child)) == index.sessionCount(at: last)
      else { break }
      if options.wantsTokens, own.tokenCount < options.textTokenLimit { opening.append(index.hash(at: Int(child))) }
      last = Int(child)
      own.add(index.amount(last))
      lastUse = max(lastUse, index.lastUseMicroseconds(at: last))
    }
    let names = ends.names(at: Int32(last))
    let node = PrefixTree.Node(
      first: index.hash(at: first), last: index.hash(at: last), tokenOffset: candidate.tokenOffset, own: own,
      subtree: forest.subtrees[first], share: share(forest.subtrees[first]),
      sessionCount: index.sessionCount(at: first), endingSessionCount: names.count,
      endingSessions: Array(names.prefix(options.nameLimit)), lastUseMicroseconds: lastUse,
      isStray: index.parents[first] == BlockIndex.stray, text: nil, children: [], other: nil)
    let place = drafts.count
    drafts.append(Draft(node: node, parent: candidate.parent, space: candidate.space, opening: opening))
    drafts[place].node.other = choose(
      forest.children(of: Int32(last)), parent: place, space: candidate.space, level: candidate.level + 1,
      tokenOffset: candidate.tokenOffset &+ own.tokenCount)
  }

  /// A node that the limit leaves no room for.
  private mutating func sumUp(_ candidate: Candidate, _ tree: inout PrefixTree) {
    if let parent = candidate.parent {
      add(candidate.place, to: &drafts[parent].node.other)
    } else {
      add(candidate.place, to: &tree.spaces[candidate.space].other)
    }
  }

  /// Puts the nodes into their parents, the last first.
  private mutating func assemble(_ tree: inout PrefixTree) {
    while var draft = drafts.popLast() {
      draft.node.children.reverse()
      if let parent = draft.parent {
        drafts[parent].node.children.append(draft.node)
      } else {
        tree.spaces[draft.space].children.append(draft.node)
      }
    }
    for place in tree.spaces.indices { tree.spaces[place].children.reverse() }
  }
}
