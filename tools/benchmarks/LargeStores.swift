import KVPager
import KVSimulation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// `kvpager-bench large-store DIR [--sessions N] [--blocks N] [--seed N]`: makes a store of many sessions where `DIR`
/// holds none.
enum LargeStores {
  static func run(_ arguments: [String]) throws {
    var shape = LargeStore()
    var rest = arguments
    func take(_ name: String) -> Int? {
      guard let at = rest.firstIndex(of: name), at + 1 < rest.count else { return nil }
      defer { rest.removeSubrange(at...at + 1) }
      return Int(rest[at + 1])
    }
    shape.sessionCount = take("--sessions") ?? shape.sessionCount
    shape.blockCount = take("--blocks") ?? shape.blockCount
    shape.seed = take("--seed").map { UInt64($0) } ?? shape.seed
    guard let folder = rest.first, rest.count == 1, shape.sessionCount > 0, shape.blockCount > 0 else {
      print("usage: kvpager-bench large-store DIR [--sessions N] [--blocks N] [--seed N]")
      exit(2)
    }
    guard access(folder + "/data.mdb", F_OK) != 0 else { return print("\(folder) holds a store already") }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    shape.nowMicroseconds = UInt64(now.tv_sec) * 1_000_000
    let started = ContinuousClock.now
    try shape.fill(folder) { count in
      print("\(count) blocks after \(Text.fixed((ContinuousClock.now - started) / .seconds(1), 1)) s")
      fflush(nil)
    }
  }
}
