#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A moment in the store's unit, for people and for JSON.
struct Timestamp: Hashable, Comparable, Sendable {
  /// Since 1970, UTC.
  let microseconds: UInt64

  init(microseconds: UInt64) { self.microseconds = microseconds }

  /// `KVPAGER_NOW`, seconds since 1970, takes the clock's place where an answer must come out the same again.
  static var now: Timestamp {
    if let given = getenv("KVPAGER_NOW").flatMap({ UInt64(String(cString: $0)) }), given < 1 << 40 {
      return Timestamp(microseconds: given * 1_000_000)
    }
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1_000)
  }

  static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

  /// UTC, as ISO 8601 has it: "2026-03-01T09:30:00Z".
  var iso8601: String { text(format: "%Y-%m-%dT%H:%M:%SZ", isLocal: false) }

  /// The user's own time, to the minute: "2026-03-01 10:30".
  var local: String { text(format: "%Y-%m-%d %H:%M", isLocal: true) }

  /// The user's own day: "2026-03-01".
  var localDay: String { text(format: "%Y-%m-%d", isLocal: true) }

  private func text(format: String, isLocal: Bool) -> String {
    var seconds = time_t(clamping: microseconds / 1_000_000)
    var parts = tm()
    guard (isLocal ? localtime_r(&seconds, &parts) : gmtime_r(&seconds, &parts)) != nil else { return "-" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress, strftime(base, buffer.count, format, &parts) > 0 else { return "-" }
      return String(cString: base)
    }
  }
}
