import KVInspection
import KVPager

/// Where what a command read was found: blocks, or planes of them where a command reads plane by plane.
enum HitCounts {
  static func json(_ memory: KVPager.StoreStatistics.Memory) -> JSONValue {
    [
      "memory": .integer(memory.memoryHitCount), "disk": .integer(diskCount(memory)),
      "misses": .integer(memory.missCount),
    ]
  }

  static func text(_ memory: KVPager.StoreStatistics.Memory) -> String {
    "reads: \(memory.memoryHitCount) from memory, \(diskCount(memory)) from disk, \(memory.missCount) missed"
  }

  private static func diskCount(_ memory: KVPager.StoreStatistics.Memory) -> Int {
    memory.diskHitCount + memory.planeReadCount
  }
}
