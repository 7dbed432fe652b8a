import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants: a cell holds a frame's id and the second when it was noted, or 0.

/// Frames that were looked at within the last second: asking the system whether they are in memory costs as much as
/// decoding a small plane, and reading plane by plane comes back to the same frames soon. A hint, never more.
final class RecentFrames: Sendable {
  private static let count = 4096
  private static let secondBits: UInt64 = 16
  private let cells = Lock([UInt64](repeating: 0, count: count))

  /// Notes the frame; false where it was noted in this second or the one before.
  func note(_ frame: FrameReference) -> Bool {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let mask = UInt64(1) << Self.secondBits - 1
    let second = UInt64(now.tv_sec) & mask
    let cell = Int(frame.id % UInt64(Self.count))
    return cells.withLock { cells in
      let known = cells[cell]
      guard known >> Self.secondBits != frame.id || (second &- known) & mask > 1 else { return false }
      cells[cell] = frame.id << Self.secondBits | second
      return true
    }
  }
}
