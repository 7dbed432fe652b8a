#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Colours for people: none in a pipe or a file, none where NO_COLOR is set (https://no-color.org) or the terminal is
/// dumb. What a colour says, the words say too.
struct Ink: Sendable {
  let isColored: Bool

  static let output = Ink(ByteStream.output)
  static let error = Ink(ByteStream.error)

  init(_ stream: ByteStream) {
    func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    isColored = stream.isTerminal && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb"
  }

  init(isColored: Bool) { self.isColored = isColored }

  func strong(_ text: String) -> String { paint(text, 1) }
  func faint(_ text: String) -> String { paint(text, 2) }
  /// Damage, errors.
  func bad(_ text: String) -> String { paint(text, 31) }
  /// Warnings.
  func caution(_ text: String) -> String { paint(text, 33) }
  func good(_ text: String) -> String { paint(text, 32) }
  /// Names of things to ask about next.
  func name(_ text: String) -> String { paint(text, 36) }

  private func paint(_ text: String, _ code: Int) -> String {
    isColored && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// Columns that `text` takes, colours not counted.
  static func width(of text: String) -> Int {
    guard text.utf8.contains(0x1B) else { return DisplayWidth.of(text) }
    var (width, isEscape) = (0, false)
    for character in text {
      if isEscape {
        isEscape = character != "m"
      } else if character == "\u{1B}" {
        isEscape = true
      } else {
        width += DisplayWidth.of(character)
      }
    }
    return width
  }
}
