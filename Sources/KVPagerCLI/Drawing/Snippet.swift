/// The beginning of a text that somebody else wrote, fit for one line of a terminal.
enum Snippet {
  /// The text in quotation marks, what controls a terminal or turns the direction of writing as escapes, cut so that it
  /// takes at most `columnCount` columns.
  static func quoted(_ text: String, columnCount: Int, ellipsis: String) -> String {
    var words = ""
    var width = 2
    for character in text {
      let (shown, columns) = shown(character)
      guard width + columns <= columnCount else {
        while width + ellipsis.count > columnCount, let last = words.popLast() { width -= self.columns(of: last) }
        return "\"\(words)\(ellipsis)\""
      }
      words += shown
      width += columns
    }
    return "\"\(words)\""
  }

  private static func shown(_ character: Character) -> (text: String, columns: Int) {
    let isPlain = character.unicodeScalars.allSatisfy { !isActive($0) }
    // A character of a hundred marks on one letter is a joke on the terminal.
    guard isPlain, character.unicodeScalars.count <= 8 else {
      let text = character.unicodeScalars.prefix(8).map { isActive($0) ? $0.escaped(asASCII: true) : String($0) }
        .joined()
      return (text, text.reduce(0) { $0 + columns(of: $1) })
    }
    return (String(character), columns(of: character))
  }

  /// Controls, line separators, and what turns the direction of writing.
  private static func isActive(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
    case .format: scalar != "\u{200D}"  // joins emoji
    default: scalar == "\""
    }
  }

  /// Characters of East Asia and emoji take two columns.
  private static func columns(of character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    switch first.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
      0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
