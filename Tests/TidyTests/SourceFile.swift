import Foundation

extension String {
  /// A look for literal bytes: far cheaper than a pattern, for lines that mostly do not match.
  func holds(_ text: StaticString) -> Bool {
    withCString { line in
      text.withUTF8Buffer { wanted in
        UnsafeRawPointer(wanted.baseAddress!).withMemoryRebound(to: CChar.self, capacity: wanted.count + 1) {
          // A static string ends in a zero byte.
          strstr(line, $0) != nil
        }
      }
    }
  }
}

/// A text file of the repository, as the rules see it.
struct SourceFile: Sendable {
  /// From the repository's root, with slashes.
  let path: String
  let lines: [String]
  /// The same lines with the contents of comments and string literals blanked, so that a rule about code sees code
  /// only.
  let codeLines: [String]

  init(path: String, text: String) {
    self.path = path
    lines = Self.lines(of: text)
    codeLines = path.hasSuffix(".swift") ? Self.lines(of: CodeScanner.code(of: text)) : lines
  }

  var folders: [Substring] { path.split(separator: "/").dropLast() }
  var name: Substring { path.split(separator: "/").last ?? "" }
  /// The module of a file in Sources; nil for others.
  var module: Substring? { folders.first == "Sources" && folders.count > 1 ? folders[1] : nil }
  var isSwift: Bool { path.hasSuffix(".swift") }
  var isInSources: Bool { path.hasPrefix("Sources/") }

  private static func lines(of text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }
}

/// Where a rule is broken. `line` counts from 1; 0 for the file as a whole.
struct Violation: Hashable, CustomStringConvertible {
  let path: String
  let line: Int
  let message: String

  var description: String { line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)" }
}

/// Everything about one file that a rule can find wrong.
struct FileRule: Sendable, CustomStringConvertible {
  let name: String
  let violations: @Sendable (SourceFile) -> [Violation]

  var description: String { name }
}

extension SourceFile {
  /// A violation for each line of code for which `message` gives one.
  func codeViolations(_ message: (_ code: String, _ index: Int) -> String?) -> [Violation] {
    codeLines.indices.compactMap { index in
      message(codeLines[index], index).map { Violation(path: path, line: index + 1, message: $0) }
    }
  }
}
