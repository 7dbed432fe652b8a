/// One line on a terminal that says what a command of several stages is at. In a pipe or a file it stays silent.
final class StageLine {
  private let isShown: Bool
  private var isOpen = false

  init(isShown: Bool = ByteStream.error.isTerminal) { self.isShown = isShown }

  deinit { finish() }

  /// \u{1B}[K clears what a longer line left behind.
  func show(_ stage: String) {
    guard isShown else { return }
    isOpen = true
    try? ByteStream.error.write("\r\(stage) ...\u{1B}[K")
  }

  /// Clears the line, so that what follows begins at its start.
  func finish() {
    guard isOpen else { return }
    isOpen = false
    try? ByteStream.error.write("\r\u{1B}[K")
  }
}
