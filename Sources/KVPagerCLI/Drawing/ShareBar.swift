#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Bars of a text chart: blocks of eighths on a terminal that shows them, hashes elsewhere.
struct ShareBar: Sendable {
  let isFine: Bool
  let columnCount: Int

  init(_ stream: ByteStream = .output, columnCount: Int = 30) {
    let isDumb = getenv("TERM").map { String(cString: $0) } == "dumb"
    self.init(isFine: stream.isTerminal && Terminal.output.isUTF8 && !isDumb, columnCount: columnCount)
  }

  init(isFine: Bool, columnCount: Int = 30) {
    self.isFine = isFine
    self.columnCount = columnCount
  }

  /// `part` of `whole`; whatever is more than nothing shows.
  func text(_ part: Int, of whole: Int) -> String {
    guard part > 0, whole > 0 else { return "" }
    let share = min(1, Double(part) / Double(whole))
    guard isFine else { return String(repeating: "#", count: max(1, Int((share * Double(columnCount)).rounded()))) }
    let eighths = max(1, Int((share * Double(columnCount * 8)).rounded()))
    let rest = eighths % 8
    return String(repeating: "\u{2588}", count: eighths / 8)
      + (rest == 0 ? "" : String(UnicodeScalar(0x2590 - UInt32(rest)).map(Character.init) ?? " "))
  }
}
