import KVBlocks
import KVDiskTier

/// How long ago blocks were used, and by how many sessions they are held.
package struct BlockUse: Hashable, Sendable {
  package struct Bin: Hashable, Sendable {
    package var title: String
    package var blockCount = 0
    package var frameByteCount = 0
  }

  private static let hour: UInt64 = 3_600_000_000
  /// Ages below which a bin ends, in microseconds.
  private static let ageLimits: [(title: String, limit: UInt64)] = [
    ("under 1 hour", hour), ("1 to 6 hours", 6 * hour), ("6 to 24 hours", 24 * hour), ("1 to 7 days", 168 * hour),
    ("7 to 30 days", 720 * hour), ("30 to 90 days", 2160 * hour), ("over 90 days", .max),
  ]

  /// By last use, the latest first.
  package var ages: [Bin]
  /// By sessions that hold the block: none, 1, 2, 3 to 4, 5 to 8 and so on.
  package var holders: [Bin]
  package var damagedCount = 0

  init(nowMicroseconds now: UInt64, _ tier: DiskTier) throws(StoreError) {
    var ages = Self.ageLimits.map { Bin(title: $0.title) }
    var holders: [Bin] = []
    var damagedCount = 0
    _ = try tier.scanBlocks(damaged: { _, _ in damagedCount += 1 }) { block in
      let age = now > block.lastUseMicroseconds ? now - block.lastUseMicroseconds : 0
      let ageBin = Self.ageLimits.firstIndex { age < $0.limit } ?? Self.ageLimits.count - 1
      ages[ageBin].add(block)
      let holderBin = Self.holderBin(block.sessionCount)
      while holders.count <= holderBin { holders.append(Bin(title: Self.holderTitle(holders.count))) }
      holders[holderBin].add(block)
      return true
    }
    self.ages = ages
    self.holders = holders
    self.damagedCount = damagedCount
  }

  /// 0, 1, 2, then powers of two.
  static func holderBin(_ sessionCount: Int) -> Int {
    sessionCount < 2 ? sessionCount : 1 + (Int.bitWidth - (sessionCount - 1).leadingZeroBitCount)
  }

  static func holderTitle(_ bin: Int) -> String {
    switch bin {
    case 0: "no session"
    case 1: "1 session"
    case 2: "2 sessions"
    default: "\(Figures.count(1 << (bin - 2) + 1)) to \(Figures.count(1 << (bin - 1))) sessions"
    }
  }
}

extension BlockUse.Bin {
  fileprivate mutating func add(_ block: BlockSummary) {
    blockCount += 1
    frameByteCount &+= block.frame.byteCount
  }
}
