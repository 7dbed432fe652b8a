/// Which prefix blocks are in memory, and how many requests hold each.
struct SharedPrefixes {
  private var holders: [Int32]

  init(nameCount: Int) { holders = Array(repeating: 0, count: nameCount) }

  /// One holder more for each. - Returns: how many were not in memory.
  mutating func hold(_ names: ArraySlice<Int32>) -> Int {
    var fresh = 0
    for name in names {
      if holders[Int(name)] == 0 { fresh += 1 }
      holders[Int(name)] += 1
    }
    return fresh
  }

  /// One holder less for each. - Returns: how many left memory.
  mutating func release(_ names: ArraySlice<Int32>) -> Int {
    var gone = 0
    for name in names {
      holders[Int(name)] -= 1
      if holders[Int(name)] == 0 { gone += 1 }
    }
    return gone
  }
}
