// Invariants:
// - `holes` are in the order of their addresses, not empty, and no two touch: they were put together when the second
//   became free.
// - `freeCount` is the sum of their lengths.

/// Rows one after the other, of which contiguous stretches are taken and given back: what a plain allocator has.
package struct AddressSpace: Sendable {
  package enum Fit: String, Sendable {
    /// The hole with the lowest address that is large enough.
    case first
    /// The smallest hole that is large enough, of equal ones the lowest.
    case best
  }

  package let count: Int
  package private(set) var holes: [Range<Int>]
  package private(set) var freeCount: Int

  package init(count: Int) {
    self.count = count
    holes = count > 0 ? [0..<count] : []
    freeCount = count
  }

  package var largestHoleCount: Int { holes.reduce(0) { max($0, $1.count) } }

  /// Nil where no hole is large enough. - Precondition: `length` is 1 or more.
  package mutating func take(_ length: Int, _ fit: Fit) -> Range<Int>? {
    var found: Int?
    switch fit {
    case .first: found = holes.firstIndex { $0.count >= length }
    case .best:
      for (index, hole) in holes.enumerated() where hole.count >= length {
        if found.map({ hole.count < holes[$0].count }) ?? true { found = index }
      }
    }
    guard let found else { return nil }
    let start = holes[found].lowerBound
    let rest = start + length..<holes[found].upperBound
    if rest.isEmpty { holes.remove(at: found) } else { holes[found] = rest }
    freeCount -= length
    return start..<start + length
  }

  /// - Precondition: `stretch` was taken and not given back since.
  package mutating func give(_ stretch: Range<Int>) {
    // The first hole behind it.
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].lowerBound < stretch.lowerBound { low = middle + 1 } else { high = middle }
    }
    let touchesBefore = low > 0 && holes[low - 1].upperBound == stretch.lowerBound
    let touchesAfter = low < holes.count && holes[low].lowerBound == stretch.upperBound
    switch (touchesBefore, touchesAfter) {
    case (true, true):
      holes[low - 1] = holes[low - 1].lowerBound..<holes[low].upperBound
      holes.remove(at: low)
    case (true, false): holes[low - 1] = holes[low - 1].lowerBound..<stretch.upperBound
    case (false, true): holes[low] = stretch.lowerBound..<holes[low].upperBound
    case (false, false): holes.insert(stretch, at: low)
    }
    freeCount += stretch.count
  }
}
