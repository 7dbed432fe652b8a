/// Names say what a thing is, in the project's own words.
enum NameRules {
  static let emptyNames = FileRule(name: "no Utils, Manager or Helper") { file in
    var found: [Violation] = []
    if file.name.contains(/Util|Manager|Helper/) {
      found.append(Violation(path: file.path, line: 0, message: "a file name that says nothing: \(file.name)"))
    }
    guard file.isSwift else { return found }
    let pattern = /\b(?:struct|class|enum|actor|protocol|typealias)\s+(\w*(?:Util|Manager|Helper)\w*)/
    return found
      + file.codeViolations { code, _ in
        guard code.holds("Util") || code.holds("Manager") || code.holds("Helper") else { return nil }
        return code.firstMatch(of: pattern).map { "a type name that says nothing: \($0.1)" }
      }
  }

  /// One word, one meaning: what a block, a plane, a frame and a cache space must not be called. Identifiers only.
  static let otherWords: [(word: StaticString, say: String)] = [
    ("chunk", "block"), ("namespace", "cache space"), ("slab", "plane"), ("serde", "codec"), ("spill", "write back"),
    ("pagetable", "block table"),
  ]

  static let glossary = FileRule(name: "one word, one meaning") { file in
    guard file.isSwift, file.isInSources || file.path.hasPrefix("Tests/") else { return [] }
    return file.codeViolations { code, _ in
      let lowered = code.lowercased()
      return otherWords.first { lowered.holds($0.word) }.map { "say \($0.say), not \($0.word)" }
    }
  }
}
