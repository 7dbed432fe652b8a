import KVBlocks
import KVDiskTier

/// Blocks and bytes that fall into one bin of a histogram.
package struct BinCount: Hashable, Sendable {
  package var blockCount = 0
  /// Bytes of rows, before the codec.
  package var uniqueByteCount = 0
  /// Bytes of frames, after the codec.
  package var compressedByteCount = 0

  mutating func add(_ block: BlockSummary) {
    blockCount += 1
    uniqueByteCount &+= block.payloadByteCount
    compressedByteCount &+= block.frame.byteCount
  }

  var members: [String: JSONValue] {
    [
      "blocks": .integer(blockCount),
      "bytes": ["unique": .integer(uniqueByteCount), "compressed": .integer(compressedByteCount)],
    ]
  }
}

/// Blocks by how many sessions hold them: none, 1, 2 to 3, 4 to 7, ...
package struct SharingHistogram: Hashable, Sendable {
  package struct Bin: Hashable, Sendable {
    package var sessions: ClosedRange<Int>
    package var count: BinCount
  }

  private var counts: [BinCount] = []
  /// Sessions that hold the block that most hold.
  package private(set) var mostSessions = 0

  package init() {}

  /// From no session up to the most that hold one block; empty where there are no blocks.
  package var bins: [Bin] {
    counts.enumerated().map { index, count in
      Bin(sessions: index == 0 ? 0...0 : (1 << (index - 1))...((1 << index) - 1), count: count)
    }
  }

  mutating func add(_ block: BlockSummary) {
    let index = Int.bitWidth - max(0, block.sessionCount).leadingZeroBitCount
    mostSessions = max(mostSessions, block.sessionCount)
    while counts.count <= index { counts.append(BinCount()) }
    counts[index].add(block)
  }
}

/// Blocks by the time since their last use.
package struct AgeHistogram: Hashable, Sendable {
  package enum Age: String, Hashable, Sendable, CaseIterable {
    case minute = "under a minute"
    case hour = "under an hour"
    case day = "under a day"
    case week = "under a week"
    case month = "under 30 days"
    case older = "older"

    /// Seconds that no block of this age reaches; nil: there is no such limit.
    package var secondLimit: UInt64? {
      switch self {
      case .minute: 60
      case .hour: 3_600
      case .day: 86_400
      case .week: 604_800
      case .month: 2_592_000
      case .older: nil
      }
    }
  }

  package struct Bin: Hashable, Sendable {
    package var age: Age
    package var count = BinCount()
  }

  /// When ages are told from, microseconds since 1970.
  package let nowMicroseconds: UInt64
  /// All ages, the youngest first.
  package private(set) var bins = Age.allCases.map { Bin(age: $0) }

  package init(nowMicroseconds: UInt64) { self.nowMicroseconds = nowMicroseconds }

  mutating func add(_ block: BlockSummary) {
    // What was used after now, by another clock, is young.
    let seconds = (nowMicroseconds - min(nowMicroseconds, block.lastUseMicroseconds)) / 1_000_000
    let index = bins.firstIndex { $0.age.secondLimit.map { seconds < $0 } ?? true } ?? bins.count - 1
    bins[index].count.add(block)
  }
}

extension SharingHistogram.Bin: JSONConvertible {
  package var json: JSONValue {
    .object(
      count.members.merging([
        "sessions": ["from": .integer(sessions.lowerBound), "to": .integer(sessions.upperBound)]
      ]) { $1 })
  }
}

extension AgeHistogram.Bin: JSONConvertible {
  package var json: JSONValue {
    .object(
      count.members.merging([
        "age": .string(age.rawValue), "underSeconds": age.secondLimit.map { .unsigned($0) } ?? .null,
      ]) { $1 })
  }
}
