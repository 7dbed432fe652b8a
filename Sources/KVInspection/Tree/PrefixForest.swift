import KVBlocks

// Invariants:
// - `childPlaces[childStarts[i]..<childStarts[i + 1]]` are the children of block i, by hash.
// - `order` has each block that can be reached from a root or a stray block, once, after its parent. What is missing
//   hangs on itself in a circle, which only a damaged store has.
// - `subtrees[i]` sums up block i and all that hangs on it.

/// The blocks' tree, both ways: from a block to its children, and what hangs on each. Built without recursion, for a
/// chain may be a million blocks long.
struct PrefixForest {
  private let childStarts: [Int32]
  private let childPlaces: [Int32]
  /// Blocks without a stored parent, by space and hash: those at a root, and the stray ones.
  let tops: [Int32]
  let subtrees: [PrefixTree.Amount]
  let unreachableCount: Int

  init(_ index: borrowing BlockIndex) {
    let count = index.count
    var starts = [Int32](repeating: 0, count: count + 1)
    var tops: [Int32] = []
    for place in 0..<count {
      let parent = index.parents[place]
      if parent >= 0 { starts[Int(parent) + 1] += 1 } else { tops.append(Int32(place)) }
    }
    for place in 0..<count { starts[place + 1] += starts[place] }
    var next = starts
    var places = [Int32](repeating: 0, count: count - tops.count)
    for place in 0..<count {
      let parent = Int(index.parents[place])
      guard parent >= 0 else { continue }
      places[Int(next[parent])] = Int32(place)
      next[parent] += 1
    }
    var order = tops
    order.reserveCapacity(count)
    var done = 0
    while done < order.count {
      let place = Int(order[done])
      order.append(contentsOf: places[Int(starts[place])..<Int(starts[place + 1])])
      done += 1
    }
    var subtrees = (0..<count).map { index.amount($0) }
    for place in order.reversed() {
      let parent = Int(index.parents[Int(place)])
      if parent >= 0 { subtrees[parent].add(subtrees[Int(place)]) }
    }
    (childStarts, childPlaces, self.tops, self.subtrees) = (starts, places, tops, subtrees)
    unreachableCount = count - order.count
  }

  func children(of place: Int32) -> ArraySlice<Int32> {
    childPlaces[Int(childStarts[Int(place)])..<Int(childStarts[Int(place) + 1])]
  }
}

extension BlockIndex {
  func amount(_ place: Int) -> PrefixTree.Amount {
    PrefixTree.Amount(
      blockCount: 1, tokenCount: tokenCount(at: place), rowByteCount: payloadByteCount(at: place),
      frameByteCount: frameByteCount(at: place))
  }
}

extension PrefixTree.Amount {
  /// A damaged store's sums may wrap around; they never crash.
  mutating func add(_ other: PrefixTree.Amount) {
    blockCount &+= other.blockCount
    tokenCount &+= other.tokenCount
    rowByteCount &+= other.rowByteCount
    frameByteCount &+= other.frameByteCount
  }
}
