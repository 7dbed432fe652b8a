/// Blanks what is not code in Swift text: comments become spaces, string literals keep only their quotes. Lines stay
/// lines.
struct CodeScanner {
  private var output: [UInt8] = []
  private let input: [UInt8]
  private var index = 0

  static func code(of text: String) -> String {
    var scanner = CodeScanner(input: Array(text.utf8))
    while !scanner.isAtEnd { scanner.element() }
    return String(decoding: scanner.output, as: UTF8.self)
  }

  private init(input: [UInt8]) { self.input = input }

  private var isAtEnd: Bool { index >= input.count }

  private func starts(with text: StaticString) -> Bool {
    let end = index + text.utf8CodeUnitCount
    guard end <= input.count else { return false }
    return text.withUTF8Buffer { $0.elementsEqual(input[index..<end]) }
  }

  private mutating func keep(_ count: Int = 1) {
    output.append(contentsOf: input[index..<min(index + count, input.count)])
    index += count
  }

  private mutating func blank(_ count: Int = 1) {
    for _ in 0..<count where !isAtEnd {
      output.append(input[index] == UInt8(ascii: "\n") ? input[index] : UInt8(ascii: " "))
      index += 1
    }
  }

  /// One comment, one string literal, or one byte of code.
  private mutating func element() {
    switch input[index] {
    case UInt8(ascii: "/"), UInt8(ascii: "\""), UInt8(ascii: "#"): break
    default:
      output.append(input[index])
      index += 1
      return
    }
    if starts(with: "//") {
      while !isAtEnd && !starts(with: "\n") { blank() }
    } else if starts(with: "/*") {
      blockComment()
    } else if let poundCount = literalPounds() {
      keep(poundCount)
      literal(poundCount: poundCount)
    } else {
      keep()
    }
  }

  private mutating func blockComment() {
    var depth = 0
    repeat {
      if starts(with: "/*") {
        depth += 1
        blank(2)
      } else if starts(with: "*/") {
        depth -= 1
        blank(2)
      } else {
        blank()
      }
    } while depth > 0 && !isAtEnd
  }

  /// The number of `#` before the quote of a literal that starts here; nil where none does.
  private func literalPounds() -> Int? {
    var end = index
    while end < input.count && input[end] == UInt8(ascii: "#") { end += 1 }
    guard end < input.count, input[end] == UInt8(ascii: "\"") else { return nil }
    return end - index
  }

  private mutating func literal(poundCount: Int) {
    let quoteCount = starts(with: "\"\"\"") ? 3 : 1
    let pounds = [UInt8](repeating: UInt8(ascii: "#"), count: poundCount)
    let end = [UInt8](repeating: UInt8(ascii: "\""), count: quoteCount) + pounds
    let escape = [UInt8(ascii: "\\")] + pounds
    keep(quoteCount)
    while !isAtEnd {
      if input[index...].starts(with: end) {
        keep(end.count)
        return
      }
      // A single-line literal that does not end: damaged code. Go on as code, so that one quote does not hide the file.
      if quoteCount == 1 && starts(with: "\n") { return }
      if input[index...].starts(with: escape) {
        blank(escape.count)
        if starts(with: "(") { interpolation() } else { blank() }
      } else {
        blank()
      }
    }
  }

  /// Keeps the code between the parentheses: what is called in an interpolation is called.
  private mutating func interpolation() {
    var depth = 0
    repeat {
      if starts(with: "(") { depth += 1 }
      if starts(with: ")") { depth -= 1 }
      element()
    } while depth > 0 && !isAtEnd
  }
}
