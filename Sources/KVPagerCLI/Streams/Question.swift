#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A question to the person at the terminal, before something that cannot be taken back.
enum Question {
  /// There is somebody to ask.
  static var canBeAsked: Bool { isatty(STDIN_FILENO) == 1 && ByteStream.error.isTerminal }

  /// Asks until the answer is yes or no; no answer is no.
  static func isAffirmed(_ question: String) -> Bool {
    while true {
      try? ByteStream.error.write("\(question) [y/N] ")
      guard let line = readLine() else { return false }
      switch line.lowercased() {
      case "y", "yes": return true
      case "", "n", "no": return false
      default: continue
      }
    }
  }
}
