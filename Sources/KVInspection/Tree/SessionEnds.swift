import KVBlocks
import KVDiskTier

// Invariants:
// - `places` and `names` have one entry for each session that ends in a stored block, by place and name.

/// Where each session ends in the tree.
struct SessionEnds {
  private(set) var places: [Int32] = []
  private(set) var names: [String] = []
  private(set) var sessionCounts: [SpaceID: Int] = [:]
  private(set) var emptyCounts: [SpaceID: Int] = [:]
  private(set) var lostCounts: [SpaceID: Int] = [:]
  private(set) var damagedCount = 0
  private(set) var isOneSnapshot = true

  init(_ tier: DiskTier, _ index: BlockIndex, space: SpaceID?) throws(StoreError) {
    var found: [(place: Int32, name: String)] = []
    var damaged = 0
    let outcome = try tier.scanSessions(damaged: { _, _ in damaged += 1 }) { (summary, record) throws(StoreError) in
      guard space == nil || summary.space == space else { return true }
      sessionCounts[summary.space, default: 0] += 1
      if let last = record.blocks.last {
        if let place = index.position(of: last, in: summary.space) {
          found.append((Int32(place), summary.name))
        } else {
          lostCounts[summary.space, default: 0] += 1
        }
      } else {
        emptyCounts[summary.space, default: 0] += 1
      }
      return true
    }
    damagedCount = damaged
    isOneSnapshot = outcome.isOneSnapshot
    // The scan goes by name already: it decides where places are equal.
    let order = found.indices.sorted { (found[$0].place, $0) < (found[$1].place, $1) }
    places = order.map { found[$0].place }
    names = order.map { found[$0].name }
  }

  /// The names of the sessions that end in the block.
  func names(at place: Int32) -> ArraySlice<String> {
    let first = lowerBound(of: place)
    var end = first
    while end < places.count, places[end] == place { end += 1 }
    return names[first..<end]
  }

  private func lowerBound(of place: Int32) -> Int {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle] < place { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
