/// How a frame is drawn: in colours or without, in fine characters or those of every terminal.
struct WatchStyle: Sendable {
  var ink: Ink
  var isFine: Bool

  var ellipsis: String { isFine ? "\u{2026}" : "~" }

  /// Levels of a small chart, from nothing.
  private var levels: [Character] {
    isFine
      ? [" ", "\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}"]
      : [" ", ".", ":", "-", "=", "+", "*", "#"]
  }

  /// One character a value, the latest at the right end of `columnCount` columns, scaled to the largest that shows.
  func sparkline(_ values: [Double], columnCount: Int) -> String {
    let shown = values.suffix(max(0, columnCount))
    let largest = shown.max() ?? 0
    let levels = levels
    let marks = shown.map { value -> Character in
      guard value > 0, largest > 0, value.isFinite else { return levels[0] }
      return levels[min(levels.count - 1, max(1, Int((value / largest * Double(levels.count - 1)).rounded(.up))))]
    }
    return String(repeating: " ", count: max(0, columnCount - shown.count)) + String(marks)
  }

  /// A bar of fixed width, its empty part shown too.
  func bar(_ part: Double, of whole: Double, columnCount: Int) -> String {
    guard columnCount > 0, whole > 0, part.isFinite else { return "" }
    // A process may claim any figure.
    let share = min(1, max(0, part / whole))
    let filled = min(columnCount, max(part > 0 ? 1 : 0, Int((share * Double(columnCount)).rounded())))
    let (full, empty): (Character, Character) = isFine ? ("\u{2588}", "\u{2591}") : ("#", ".")
    return String(repeating: full, count: filled) + String(repeating: empty, count: columnCount - filled)
  }
}

/// Numbers as the frame shows them, short whatever their size.
enum WatchNumber {
  static func rate(_ value: Double) -> String {
    guard value.isFinite, value > 0 else { return "0" }
    if value < 0.05 { return "<0.1" }
    if value < 99.95 { return Decimal.text(value, digits: 1) }
    return count(UInt64(min(value.rounded(), 1e18)))
  }

  static func count(_ value: UInt64) -> String {
    if value < 100_000_000 { return Decimal.grouped(value) }
    if value < 100_000_000_000 { return "\(Decimal.text(Double(value) / 1e6, digits: 1)) M" }
    return "\(Decimal.text(Double(value) / 1e9, digits: 1)) G"
  }

  static func bytes(_ value: UInt64) -> String { ByteSize(Int(clamping: value)).description }

  static func percent(_ share: Double?) -> String {
    share.map { "\(Decimal.text($0 * 100, digits: 1)) %" } ?? "-"
  }

  /// "12 s", "3 min", "2.1 h", "4.0 d": since then.
  static func age(since then: UInt64, now: UInt64) -> String {
    let seconds = (now - min(now, then)) / 1_000_000
    switch seconds {
    case ..<60: return "\(seconds) s"
    case ..<3600: return "\(seconds / 60) min"
    case ..<172_800: return "\(Decimal.text(Double(seconds) / 3600, digits: 1)) h"
    default: return then == 0 ? "-" : "\(Decimal.text(Double(seconds) / 86_400, digits: 1)) d"
    }
  }
}
