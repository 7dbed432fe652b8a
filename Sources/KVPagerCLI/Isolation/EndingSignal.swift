#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A child that a signal ended: either somebody asked for it, or something went wrong that deserves words.
enum EndingSignal {
  /// Signals by which people and programs ask a process to end.
  static let requests = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  /// Ends this process as its child ended.
  static func end(by number: Int32) -> Never {
    if requests.contains(number) {
      // A shell that waits for us sees what happened: a loop stops at Ctrl-C.
      signal(number, SIG_DFL)
      var mask = sigset_t()
      sigemptyset(&mask)
      sigaddset(&mask, number)
      _ = kill(getpid(), number)
      // Whoever started this process may have blocked it.
      pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }
    // A progress line may stand there.
    let start = ByteStream.error.isTerminal ? "\r\u{1B}[K" : ""
    try? ByteStream.error.writeLine("\(start)kvpager: \(message(number))")
    exit(CommandFailure.findingStatus)
  }

  static func message(_ number: Int32) -> String {
    switch number {
    case SIGBUS:
      "the store's file could not be read while it was mapped (SIGBUS): it was cut off or replaced meanwhile, or its "
        + "disk fails; `kvpager verify` says what is left, and a copy on a sound disk is safer to read"
    case SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGFPE:
      "reading the store ended in a crash (\(name(number))): its file changed meanwhile, or it is damaged in a way "
        + "that the checks missed; `kvpager salvage DIR --list` reads it without LMDB"
    case SIGKILL:
      "the process that did the work was killed (SIGKILL): by somebody, or by the system for want of memory; "
        + "nothing committed is lost"
    default:
      "the process that did the work was ended by \(name(number)); nothing committed is lost"
    }
  }

  static func name(_ number: Int32) -> String {
    let names: [Int32: String] = [
      SIGBUS: "SIGBUS", SIGSEGV: "SIGSEGV", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT",
      SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGXCPU: "SIGXCPU", SIGINT: "SIGINT", SIGTERM: "SIGTERM",
      SIGHUP: "SIGHUP", SIGQUIT: "SIGQUIT",
    ]
    return names[number] ?? "signal \(number)"
  }
}
