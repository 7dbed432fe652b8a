/// Columns of a terminal that text takes.
enum DisplayWidth {
  /// Wide in the sense of Unicode's East Asian width, and emoji; the rest takes one column. A letter's marks take none.
  static func of(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first, scalar.value >= 0x1100 else { return 1 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF,
      0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }

  static func of(_ text: String) -> Int {
    // Most text is plain, and a listing has many cells.
    text.utf8.allSatisfy { $0 < 0x80 && $0 != 0x0D } ? text.utf8.count : text.reduce(0) { $0 + of($1) }
  }

  /// As much of `text` as `columnCount` columns hold, with `ellipsis` at its end where that is not all.
  static func fitting(_ text: String, _ columnCount: Int, ellipsis: String) -> String {
    guard of(text) > columnCount else { return text }
    var rest = columnCount - of(ellipsis)
    guard rest >= 0 else { return "" }
    var result = ""
    for character in text {
      rest -= of(character)
      guard rest >= 0 else { break }
      result.append(character)
    }
    return result + ellipsis
  }

  /// As ``fitting(_:_:ellipsis:)``, but the end stays: of a path that says most.
  static func fittingEnd(_ text: String, _ columnCount: Int, ellipsis: String) -> String {
    guard of(text) > columnCount else { return text }
    var rest = columnCount - of(ellipsis)
    guard rest >= 0 else { return "" }
    var result: [Character] = []
    for character in text.reversed() {
      rest -= of(character)
      guard rest >= 0 else { break }
      result.append(character)
    }
    return ellipsis + String(result.reversed())
  }
}
