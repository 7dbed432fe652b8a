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
// - A handler does nothing but write its signal's number into the pipe, or give the terminal back and die.
// - `shared` is set before the first handler is; both stay until the process ends.

/// Signals as bytes of a pipe, so that a loop can wait for them and for keys and time at once.
struct SignalPipe {
  private static let shared = Atomic<Int32>(-1)

  let readEnd: Int32

  /// - Throws: `inputOutput` where the system gives no pipe.
  init(_ signals: [Int32]) throws(StoreError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .system("no pipe is to be had") }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      // A full pipe holds signals enough, and a handler must not wait.
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    readEnd = ends[0]
    Self.shared.store(ends[1], ordering: .sequentiallyConsistent)
    var mask = sigset_t()
    sigemptyset(&mask)
    // Whoever started this process may have blocked them.
    for number in signals { sigaddset(&mask, number) }
    defer { pthread_sigmask(SIG_UNBLOCK, &mask, nil) }
    for number in signals { Self.handle(number) }
  }

  private static func handle(_ number: Int32) {
    signal(number) { number in
      let saved = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(SignalPipe.shared.load(ordering: .relaxed), &byte, 1)
      errno = saved
    }
  }

  /// Stops this process as SIGTSTP does where nobody handles it, and comes back when somebody lets it go on. The system
  /// stops no process that nobody could let go on: one that a terminal's window began with.
  func stop() {
    signal(SIGTSTP, SIG_DFL)
    raise(SIGTSTP)
    Self.handle(SIGTSTP)
  }

  /// The signals that came since the last call.
  func take() -> [Int32] {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(readEnd, &bytes, bytes.count)
    return bytes.prefix(max(0, count)).map { Int32($0) }
  }
}
