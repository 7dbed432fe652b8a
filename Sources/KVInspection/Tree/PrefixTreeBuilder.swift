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
  private static let smallBranchLimit = 3
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
      isOneSnapshot: isOneSnapshot)
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

  private var isOneSnapshot: Bool {
    index.outcome.isOneSnapshot && ends.outcome.isOneSnapshot && index.outcome.snapshot == ends.outcome.snapshot
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
    // Small branches are shown only where there are no others, and then a few.
    let hasLarge = places.contains { !isSmall($0) }
    let width = hasLarge ? options.width : min(options.width, Self.smallBranchLimit)
    for place in places {
      guard level <= options.depth, path?.contains(place) ?? !(hasLarge && isSmall(place)) else {
        add(place, to: &other)
        continue
      }
      chosen.insert(
        Candidate(
          place: place, parent: parent, space: space, level: level, tokenOffset: tokenOffset,
          frameByteCount: forest.subtrees[Int(place)].frameByteCount))
      if chosen.count > width, let smallest = chosen.popLargest() { add(smallest.place, to: &other) }
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

  /// Makes the node that begins with the candidate's block.
  private mutating func make(_ candidate: Candidate) {
    let first = Int(candidate.place)
    var last = candidate.place
    var node = PrefixTree.Node(
      first: index.hash(at: first), last: index.hash(at: first), tokenOffset: candidate.tokenOffset, own: .init(),
      subtree: forest.subtrees[first], share: share(forest.subtrees[first]),
      sessionCount: index.sessionCount(at: first), lastSessionCount: 0, hitCount: 0, endingSessionCount: 0,
      endingSessions: [], lastUseMicroseconds: 0, isStray: index.parents[first] == BlockIndex.stray, text: nil,
      folded: nil, children: [], other: nil)
    var opening: [BlockHash] = []
    while true {
      if options.wantsTokens, node.own.tokenCount < options.textTokenLimit {
        opening.append(index.hash(at: Int(last)))
      }
      take(last, into: &node)
      guard let next = next(after: last, folded: &node.folded) else { break }
      last = next
    }
    let place = drafts.count
    drafts.append(Draft(node: node, parent: candidate.parent, space: candidate.space, opening: opening))
    drafts[place].node.other = choose(
      forest.children(of: last), parent: place, space: candidate.space, level: candidate.level + 1,
      tokenOffset: candidate.tokenOffset &+ node.own.tokenCount)
  }

  /// Counts a block of the run.
  private func take(_ place: Int32, into node: inout PrefixTree.Node) {
    let block = Int(place)
    node.own.add(index.amount(block))
    node.last = index.hash(at: block)
    node.lastSessionCount = index.sessionCount(at: block)
    node.hitCount = max(node.hitCount, index.hitCount(at: block))
    node.lastUseMicroseconds = max(node.lastUseMicroseconds, index.lastUseMicroseconds(at: block))
    let names = ends.names(at: place)
    node.endingSessionCount += names.count
    node.endingSessions += names.prefix(options.nameLimit - node.endingSessions.count)
  }

  /// The block with which a run goes on after `place`: its only child, where no session ends, or the only one that is
  /// not small enough to be folded.
  private func next(after place: Int32, folded: inout PrefixTree.Other?) -> Int32? {
    let children = forest.children(of: place)
    let sessionCount = index.sessionCount(at: Int(place))
    if let child = children.first, children.count == 1, index.sessionCount(at: Int(child)) == sessionCount {
      return child
    }
    guard options.foldShare > 0 else { return nil }
    let endCount = ends.names(at: place).count
    guard endCount == 0 || Double(endCount) < options.foldShare * Double(sessionCount) else { return nil }
    var next: Int32?
    for child in children where !isSmall(child) {
      guard next == nil else { return nil }
      next = child
    }
    guard let next else { return nil }
    for child in children where child != next { add(child, to: &folded) }
    return next
  }

  /// Whether a branch is folded away. That of the one session that is wanted never is.
  private func isSmall(_ place: Int32) -> Bool {
    share(forest.subtrees[Int(place)]) < options.foldShare && !(path?.contains(place) ?? false)
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
