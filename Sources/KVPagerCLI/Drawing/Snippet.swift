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
        while width + ellipsis.count > columnCount, let last = words.popLast() { width -= DisplayWidth.of(last) }
        return "\"\(words)\(ellipsis)\""
      }
      words += shown
      width += columns
    }
    return "\"\(words)\""
  }

  /// The text in lines of at most `columnCount` columns, cut between words where that can be.
  static func lines(_ text: String, columnCount: Int) -> [String] {
    var lines: [String] = []
    var (line, width) = ("", 0)
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      var word = word
      var wordWidth = DisplayWidth.of(String(word))
      if !line.isEmpty, width + 1 + wordWidth > columnCount {
        lines.append(line)
        (line, width) = ("", 0)
      } else if !line.isEmpty {
        (line, width) = (line + " ", width + 1)
      }
      while wordWidth > columnCount, let first = word.first {
        var part = ""
        var partWidth = 0
        var next: Character? = first
        while let character = next, partWidth + DisplayWidth.of(character) <= max(columnCount, 2) {
          part.append(character)
          partWidth += DisplayWidth.of(character)
          word.removeFirst()
          next = word.first
        }
        lines.append(part)
        wordWidth -= partWidth
      }
      line += word
      width += wordWidth
    }
    return lines + (line.isEmpty ? [] : [line])
  }

  private static func shown(_ character: Character) -> (text: String, columns: Int) {
    let isPlain = character.unicodeScalars.allSatisfy { !isActive($0) }
    // A character of a hundred marks on one letter is a joke on the terminal.
    guard isPlain, character.unicodeScalars.count <= 8 else {
      let text = character.unicodeScalars.prefix(8).map { isActive($0) ? $0.escaped(asASCII: true) : String($0) }
        .joined()
      return (text, DisplayWidth.of(text))
    }
    return (String(character), DisplayWidth.of(character))
  }

  /// What ends the quotation is shown as an escape too.
  private static func isActive(_ scalar: Unicode.Scalar) -> Bool { scalar == "\"" || Answer.acts(scalar) }
}
