#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// When the writer moves by itself: after a quiet moment, and after a failure with growing patience.
struct WriterPacing: Sendable {
  private static let patienceLimitMilliseconds = 30_000

  var isStopping = false
  /// A batch failed: no write-back of its own accord until the patience is over.
  private(set) var isHeldOff = false
  private var patienceMilliseconds = 0
  private var quietSince = 0

  static func milliseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
  }

  mutating func restart() { quietSince = Self.milliseconds() }

  mutating func noteSuccess() {
    isHeldOff = false
    patienceMilliseconds = 0
    restart()
  }

  mutating func noteFailure(idleMilliseconds: Int) {
    isHeldOff = true
    patienceMilliseconds = min(Self.patienceLimitMilliseconds, max(idleMilliseconds, 1, patienceMilliseconds * 2))
    restart()
  }

  /// Milliseconds until dirty blocks are written back unasked; 0 or less: now.
  func remainingMilliseconds(idleMilliseconds: Int) -> Int {
    quietSince + (isHeldOff ? patienceMilliseconds : idleMilliseconds) - Self.milliseconds()
  }
}
