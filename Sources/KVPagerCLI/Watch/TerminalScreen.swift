import KVPager
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants:
// - While `isShown`, the terminal shows its other screen without a cursor, and reads keys without echo; `leave()` gives
//   back what was there before, however the command ends.
// - `shown` is what the screen shows, line by line; empty where that is unknown.

/// The whole terminal for one command, given back as it was.
final class TerminalScreen {
  /// The other screen, no cursor, no wrapping.
  private static let enterSequence = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[2J"
  static let leaveSequence: StaticString = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"
  /// Signals that end a process for what went wrong in it.
  private static let crashes = [SIGBUS, SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGFPE]

  private let output: ByteStream
  private let input: Int32
  private var modes: TerminalModes?
  private var isShown = false
  private var shown: [String] = []

  init(_ output: ByteStream = .output, input: Int32 = STDIN_FILENO) {
    self.output = output
    self.input = input
  }

  deinit { leave() }

  /// The terminal's size now; 80 by 24 where it does not tell.
  var size: WatchFrame.Size {
    var size = winsize()
    guard ioctl(output.descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return WatchFrame.Size(columnCount: 80, rowCount: 24)
    }
    return WatchFrame.Size(columnCount: Int(size.ws_col), rowCount: Int(size.ws_row))
  }

  func enter() throws(StoreError) {
    guard !isShown else { return }
    modes = TerminalModes(input)
    modes?.readKeys()
    Self.giveBackInCrashes()
    isShown = true
    shown = []
    try output.write(Self.enterSequence)
  }

  func leave() {
    guard isShown else { return }
    isShown = false
    // Where the terminal is gone there is nothing to give back.
    try? output.write("\(Self.leaveSequence)")
    modes?.giveBack(isWaiting: true)
    modes = nil
    for number in Self.crashes { signal(number, SIG_DFL) }
  }

  /// Draws lines over those that are shown: only what is another, and all in one write.
  func draw(_ lines: [String], isResized: Bool = false) throws(StoreError) {
    var bytes = ""
    if isResized || shown.count != lines.count {
      bytes += "\u{1B}[2J"
      shown = []
    }
    for (row, line) in lines.enumerated() where shown.isEmpty || shown[row] != line {
      bytes += "\u{1B}[\(row + 1);1H\(line)\u{1B}[0m\u{1B}[K"
    }
    shown = lines
    guard !bytes.isEmpty else { return }
    // Terminals that can show a frame at one time do; others pass the marks over.
    try output.write("\u{1B}[?2026h\(bytes)\u{1B}[?2026l")
  }

  /// A process that dies on this screen would leave it behind. How it treats keys is for the parent to give back, which
  /// knows of every death.
  private static func giveBackInCrashes() {
    for number in crashes {
      signal(number) { number in
        let sequence = TerminalScreen.leaveSequence
        _ = write(STDOUT_FILENO, sequence.utf8Start, sequence.utf8CodeUnitCount)
        signal(number, SIG_DFL)
        raise(number)
      }
    }
  }
}
