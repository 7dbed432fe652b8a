/// Which pages of a file are taken: one bit each.
// Invariants: `claimedCount` is the number of set bits; bits at and above `pageCount` are never set.
struct LMDBPageSet {
  let pageCount: UInt64
  private(set) var claimedCount: UInt64 = 0
  private var words: [UInt64]

  init(pageCount: UInt64) {
    self.pageCount = pageCount
    words = Array(repeating: 0, count: Int(pageCount / 64 + 1))
  }

  /// Takes `count` pages from `first` on. Returns the first one that was taken already, and then takes no more.
  /// - Precondition: the pages lie within `pageCount`.
  mutating func claim(_ first: UInt64, count: UInt64 = 1) -> UInt64? {
    precondition(first < pageCount && count <= pageCount - first, "pages outside the set")
    for page in first..<first + count {
      let bit: UInt64 = 1 << (page % 64)
      guard words[Int(page / 64)] & bit == 0 else { return page }
      words[Int(page / 64)] |= bit
      claimedCount += 1
    }
    return nil
  }

  func assertInvariants() {
    assert(claimedCount == words.reduce(0) { $0 + UInt64($1.nonzeroBitCount) })
  }
}
