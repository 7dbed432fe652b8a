/// One concept per file, functions that fit a screen, lines that fit beside each other.
enum ShapeRules {
  /// The habit is 250; beyond this it is surely more than one concept.
  static let fileLineLimit = 400
  static let functionLineLimit = 70
  static let columnLimit = 120

  static let fileLength = FileRule(name: "files of one concept") { file in
    guard file.isInSources, file.path.contains(/\.(?:swift|c|h|inc)$/), file.lines.count > fileLineLimit else {
      return []
    }
    return [Violation(path: file.path, line: 0, message: "\(file.lines.count) lines, \(fileLineLimit) at most")]
  }

  static let lineLength = FileRule(name: "lines to \(columnLimit) columns") { file in
    guard !file.path.hasPrefix("data/"), !file.path.hasSuffix(".md"), file.name != "LICENSE" else { return [] }
    return file.lines.enumerated().compactMap { index, line in
      guard line.utf8.count > columnLimit, line.count > columnLimit else { return nil }
      return Violation(path: file.path, line: index + 1, message: "\(line.count) columns, \(columnLimit) at most")
    }
  }

  static let functionLength = FileRule(name: "functions under \(functionLineLimit) lines") { file in
    guard file.isSwift else { return [] }
    return FunctionFinder(lines: file.codeLines).functions.compactMap { function in
      guard function.lineCount >= functionLineLimit else { return nil }
      return Violation(
        path: file.path, line: function.firstLine + 1,
        message: "a function of \(function.lineCount) lines, under \(functionLineLimit) wanted")
    }
  }

  static let invariants = FileRule(name: "invariants are stated where they are asserted") { file in
    // An extension in a file of its own asserts the list at the type's head, or hands on to it.
    guard file.isInSources, file.isSwift,
      file.codeLines.contains(where: { $0.contains(/^(?:\w+ )*(?:struct|class|enum|actor)\s/) }),
      let index = file.codeLines.firstIndex(where: { $0.holds("func assertInvariants(") }),
      !file.lines.contains(where: { $0.holds("// Invariants:") })
    else { return [] }
    return [Violation(path: file.path, line: index + 1, message: "assertInvariants() without an `// Invariants:` list")]
  }
}

/// Finds functions, initialisers and subscripts with their bodies, by their braces.
struct FunctionFinder {
  struct Function: Equatable {
    /// From 0; the line with `func`.
    let firstLine: Int
    let lineCount: Int
  }

  let lines: [String]

  var functions: [Function] {
    lines.indices.compactMap { index in
      let line = lines[index]
      guard line.holds("func ") || line.holds("init") || line.holds("subscript"),
        line.contains(/(?:^|[^.\w`])(?:func\s|init[?!]?\s*[(<]|deinit\b|subscript\s*[(<])/),
        let end = endOfBody(from: index)
      else { return nil }
      return Function(firstLine: index, lineCount: end - index + 1)
    }
  }

  /// The line of the brace that closes the body of the declaration that starts on line `first`; nil where it has none.
  private func endOfBody(from first: Int) -> Int? {
    var depth = 0
    var parentheses = 0
    for index in first..<lines.count {
      for character in lines[index] {
        switch character {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{": depth += 1
        case "}":
          depth -= 1
          if depth == 0 && parentheses == 0 { return index }
          if depth < 0 { return nil }
        default: break
        }
      }
      let signatureGoesOn = depth == 0 && (parentheses > 0 || continuesSignature(after: index))
      if depth == 0 && !signatureGoesOn { return nil }
    }
    return nil
  }

  private func continuesSignature(after index: Int) -> Bool {
    guard index + 1 < lines.count else { return false }
    return lines[index + 1].contains(/^\s*(?:\{|->|where\b|throws\b|async\b|\))/)
  }
}
