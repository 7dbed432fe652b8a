#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants: `before` is what the terminal was when this value was made, `own` what this process made of it.

/// How a terminal treats keys: as it was, so that it can be given back.
struct TerminalModes {
  private let input: Int32
  private let before: termios
  private var own: termios?

  /// Nil where `input` is no terminal.
  init?(_ input: Int32 = STDIN_FILENO) {
    var attributes = termios()
    guard isatty(input) == 1, tcgetattr(input, &attributes) == 0 else { return nil }
    self.input = input
    before = attributes
  }

  /// Keys come one by one and are not shown.
  mutating func readKeys() {
    var attributes = before
    attributes.c_lflag &= ~tcflag_t(ICANON | ECHO)
    own = attributes
    tcsetattr(input, TCSADRAIN, &attributes)
  }

  /// - Parameter isWaiting: until what was written before is shown. Not for a process that must go on whatever happens:
  ///   a terminal that is held shows nothing.
  func giveBack(isWaiting: Bool) {
    var attributes = before
    guard isOurs else { return }
    // A shell may take the terminal just now, and would have this process stopped here.
    var mask = sigset_t()
    var blocked = sigset_t()
    sigemptyset(&mask)
    sigaddset(&mask, SIGTTOU)
    pthread_sigmask(SIG_BLOCK, &mask, &blocked)
    tcsetattr(input, isWaiting ? TCSADRAIN : TCSANOW, &attributes)
    pthread_sigmask(SIG_SETMASK, &blocked, nil)
  }

  /// False where another job has the terminal and made something else of it: a shell that edits its line.
  private var isOurs: Bool {
    let foremost = tcgetpgrp(input)
    if foremost < 0 || foremost == getpgrp() { return true }
    var now = termios()
    guard let own, tcgetattr(input, &now) == 0 else { return false }
    return now.c_lflag == own.c_lflag && now.c_iflag == own.c_iflag && now.c_oflag == own.c_oflag
  }
}
