import KVInspection
import KVPager

/// What a shell offers where a name is to be typed: the names that the store on the line has. Silent where there is no
/// store, or none that can be read.
enum ValueCompletion {
  /// More than anybody reads; a store may have a million.
  private static let limit = 500

  static let sessions: @Sendable ([String], Int, String) -> [String] = { words, _, prefix in
    offered(words) { (inspector) throws(StoreError) in
      try inspector.sessionNames(startingWith: ShellWord(prefix).value, limit: limit)
    }
  }

  static let spaces: @Sendable ([String], Int, String) -> [String] = { words, _, _ in
    offered(words) { (inspector) throws(StoreError) in try inspector.spaceNumbers() }
  }

  static let blocks: @Sendable ([String], Int, String) -> [String] = { words, _, prefix in
    offered(words) { (inspector) throws(StoreError) in
      try inspector.blockHashes(startingWith: ShellWord(prefix).value, limit: limit)
    }
  }

  private static func offered(
    _ words: [String], _ names: (StoreInspector) throws(StoreError) -> [String]
  ) -> [String] {
    guard let path = StoreLocation.path(given: givenStore(words)), StoreLocation.isStore(path) else { return [] }
    return (try? names(StoreInspector(path: path))) ?? []
  }

  /// What follows the last `--store` on the line.
  private static func givenStore(_ words: [String]) -> String? {
    var given: String?
    for (index, word) in words.enumerated() {
      if word.hasPrefix("--store=") {
        given = ShellWord(String(word.dropFirst("--store=".count))).value
      } else if word == "--store", index + 1 < words.count {
        // bash makes words of their own of the signs "=" and ":".
        let next = words[index + 1] == "=" && index + 2 < words.count ? words[index + 2] : words[index + 1]
        given = ShellWord(next).value
      }
    }
    return given
  }
}

/// A word as it stands on the line, perhaps quoted, perhaps not ended yet.
struct ShellWord {
  let value: String

  init(_ text: String) {
    var value = ""
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        // Between double quotes a backslash is one, but before what it can escape there.
        if quote == "\"", !"\\\"$`".contains(character) { value.append("\\") }
        value.append(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "'" || character == "\"" {
        quote = character
      } else {
        value.append(character)
      }
    }
    self.value = Self.expandingHome(value, text)
  }

  private static func expandingHome(_ value: String, _ text: String) -> String {
    guard text.hasPrefix("~/"), let home = StoreLocation.variable("HOME") else { return value }
    return home + value.dropFirst()
  }
}
