/// Times as people tell them: from now.
struct Moment {
  let now: Timestamp

  init(now: Timestamp = .now) { self.now = now }

  /// "just now", "5 min ago", "3 h ago", "12 d ago".
  func past(_ microseconds: UInt64) -> String {
    let seconds = (now.microseconds - min(now.microseconds, microseconds)) / 1_000_000
    return seconds == 0 ? "just now" : "\(Self.span(seconds)) ago"
  }

  /// "never", "due" or "in 3 d".
  func expiry(_ microseconds: UInt64?) -> String {
    guard let microseconds else { return "never" }
    guard microseconds > now.microseconds else { return "due" }
    return "in \(Self.span((microseconds - now.microseconds) / 1_000_000))"
  }

  private static func span(_ seconds: UInt64) -> String {
    switch seconds {
    case ..<60: "\(seconds) s"
    case ..<3_600: "\(seconds / 60) min"
    case ..<86_400: "\(seconds / 3_600) h"
    case ..<(3 * 365 * 86_400): "\(seconds / 86_400) d"
    default: "\(seconds / (365 * 86_400)) years"
    }
  }
}
