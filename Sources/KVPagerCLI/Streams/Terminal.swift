#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What standard output shows well.
struct Terminal: Sendable {
  /// Columns of a line; where nobody looks at a terminal, as many as most have.
  let columnCount: Int
  /// Whether more than ASCII is understood there, as the locale says.
  let isUTF8: Bool

  static let output = Terminal()

  private init() {
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    columnCount = isKnown ? max(Int(size.ws_col), 40) : 80
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.map(Self.variable).first { !$0.isEmpty } ?? ""
    isUTF8 = Self.isUTF8(locale: locale)
  }

  init(columnCount: Int, isUTF8: Bool) {
    self.columnCount = columnCount
    self.isUTF8 = isUTF8
  }

  /// "de_DE.UTF-8", "C.utf8", "de_DE.UTF-8@euro".
  static func isUTF8(locale: String) -> Bool {
    let locale = locale.lowercased()
    return locale.contains("utf-8") || locale.contains("utf8")
  }

  private static func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
}
