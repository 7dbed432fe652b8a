// Invariants:
// - `entries.count <= limit`: what does not fit is forgotten, for recency is advice.
// - Stamps never repeat and grow from chain to chain; inside one chain they shrink with depth.
import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Uses of blocks that the disk tier has yet to hear of, and the clock that stamps them.
struct TouchLog {
  static let limit = 32_768

  private(set) var entries: [ColdBatch.Touch] = []
  private var lastStamp: UInt64 = 0
  /// The stamps of blocks sealed lately, for their children: a parent may leave RAM before its child is sealed.
  private var sealedStamps: [BlockKey: UInt64] = [:]
  private static let sealedStampLimit = 1024

  var isFull: Bool { entries.count >= Self.limit }

  /// The first of `count` stamps: block `i` of a chain takes `base - i`.
  mutating func stampBase(chainCount count: Int) -> UInt64 {
    lastStamp = max(Self.microseconds(), lastStamp) + UInt64(max(1, count))
    return lastStamp
  }

  static func microseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(max(0, now.tv_sec)) * 1_000_000 + UInt64(max(0, now.tv_nsec)) / 1000
  }

  mutating func append(_ key: BlockKey, lastUse: UInt64, hitCount: Int = 0) {
    guard entries.count < Self.limit else { return }
    entries.append(ColdBatch.Touch(key: key, lastUse: lastUse, hitCount: hitCount))
  }

  /// The stamp of a block just sealed: one older than its parent's, so that leaves are older.
  mutating func stampSealed(_ key: BlockKey, parent: BlockKey, parentStamp: UInt64?) -> UInt64 {
    let known = parentStamp ?? sealedStamps[parent]
    let stamp = known.map { max(1, $0 - 1) } ?? stampBase(chainCount: 1)
    if sealedStamps.count >= Self.sealedStampLimit { sealedStamps.removeAll(keepingCapacity: true) }
    sealedStamps[key] = stamp
    return stamp
  }

  /// All entries, each block once with its latest stamp and all its hits, and an empty log.
  mutating func take() -> [ColdBatch.Touch] {
    var latest: [BlockKey: Int] = [:]
    var touches: [ColdBatch.Touch] = []
    for entry in entries {
      if let index = latest[entry.key] {
        touches[index].lastUse = max(touches[index].lastUse, entry.lastUse)
        touches[index].hitCount += entry.hitCount
      } else {
        latest[entry.key] = touches.count
        touches.append(entry)
      }
    }
    entries.removeAll(keepingCapacity: true)
    return touches
  }
}
