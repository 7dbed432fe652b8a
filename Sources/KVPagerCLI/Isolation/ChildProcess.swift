#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants:
// - A command's work runs in a child of the process that was started, once: the child knows its parent (ParentLink).
// - The child has the parent's streams, folder, process group and signal mask; its end becomes the parent's.
// - Where the child stops for Ctrl-Z, the parent stops after it.

/// Runs the command's work in a child process, the same executable with the same arguments.
///
/// LMDB reads its file through a map. A file that is cut off meanwhile, or a disk that fails under it, ends the process
/// with SIGBUS, whatever was checked before. The child dies of it, and the parent says what happened.
enum ChildProcess {
  /// How a child ended.
  enum Ending: Equatable {
    case exit(status: Int32)
    case signal(Int32)
  }

  /// Signals that ask a process to end or to stop, or that tell of a child's end: the parent waits for them.
  private static let awaited = [SIGCHLD, SIGTSTP] + EndingSignal.requests

  /// Nil where no child can be had: the work is to be done here.
  static func runThisCommand() -> Ending? {
    // The child's end is reported to nobody while SIGCHLD is ignored, and some systems drop a signal without a handler.
    signal(SIGCHLD) { _ in }
    var mask = sigset_t()
    var before = sigset_t()
    sigemptyset(&mask)
    for number in awaited { sigaddset(&mask, number) }
    pthread_sigmask(SIG_BLOCK, &mask, &before)
    let ending = spawn(signalMask: &before).flatMap { wait(for: $0, &mask) }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    return ending
  }

  private static func spawn(signalMask: inout sigset_t) -> pid_t? {
    guard let executable = ExecutablePath.own, let link = ParentLink.Offer() else { return nil }
    // Nobody wants a debugger's view of a damaged file; who asks for one keeps it.
    setenv("SWIFT_BACKTRACE", "enable=no", 0)
    defer { link.withdraw() }
    #if canImport(Darwin)
      var attributes: posix_spawnattr_t?
    #else
      var attributes = posix_spawnattr_t()
    #endif
    guard posix_spawnattr_init(&attributes) == 0 else { return nil }
    defer { posix_spawnattr_destroy(&attributes) }
    var handled = sigset_t()
    sigemptyset(&handled)
    sigaddset(&handled, SIGCHLD)
    guard posix_spawnattr_setsigmask(&attributes, &signalMask) == 0,
      posix_spawnattr_setsigdefault(&attributes, &handled) == 0,
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) == 0,
      let environment = ProcessEnvironment.pointer
    else { return nil }
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let isSpawned = arguments.withUnsafeMutableBufferPointer { arguments in
      guard let start = arguments.baseAddress else { return false }
      return posix_spawn(&child, executable, nil, &attributes, start, environment) == 0
    }
    return isSpawned ? child : nil
  }

  /// Hands on what this process alone is asked, until the child has ended.
  private static func wait(for child: pid_t, _ signals: inout sigset_t) -> Ending? {
    var hasStopped = false
    while true {
      var status: Int32 = 0
      let ended = waitpid(child, &status, WNOHANG | WUNTRACED | (hasStopped ? WCONTINUED : 0))
      // This process goes on, and takes the child along. But a shell lets the whole job go on, and the child may even
      // have stopped anew before this process came to run: to let that stop go too would be to forget it.
      if hasStopped, ended == 0 { kill(child, SIGCONT) }
      hasStopped = false
      if ended == child {
        let number = status & 0x7f
        if number == stoppedMark {
          // The other stops are no job's: a process that SIGSTOP holds is let go by whoever sent it, and the terminal's
          // others come to both. A child that goes on is told of with SIGCONT or a number that is no signal's.
          if (status >> 8) & 0xff == SIGTSTP {
            kill(getpid(), SIGSTOP)
            hasStopped = true
          }
          continue
        }
        return number == 0 ? .exit(status: (status >> 8) & 0xff) : .signal(number)
      }
      guard ended == 0 || errno == EINTR else { return .exit(status: CommandFailure.findingStatus) }
      // Asked to stop, this process does so after the child: a shell would take the terminal before the child has given
      // it back.
      #if canImport(Darwin)
        var number: Int32 = 0
        guard sigwait(&signals, &number) == 0, number != SIGCHLD else { continue }
        kill(child, number)
      #else
        var info = siginfo_t()
        let number = sigwaitinfo(&signals, &info)
        // What the terminal sends, it sends to the child too: it is in the same process group.
        guard number > 0, number != SIGCHLD, info.si_code <= 0 else { continue }
        kill(child, number)
      #endif
    }
  }

  /// What `waitpid` puts in a signal's place where the child has stopped or goes on.
  private static let stoppedMark: Int32 = 0x7f
}

/// The path of this process's own executable.
enum ExecutablePath {
  static var own: String? {
    #if canImport(Darwin)
      var count: UInt32 = 4096
      var path = [CChar](repeating: 0, count: Int(count))
      guard _NSGetExecutablePath(&path, &count) == 0 else { return nil }
      return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    #else
      let link = "/proc/self/exe"
      guard let resolved = realpath(link, nil) else { return access(link, X_OK) == 0 ? link : nil }
      defer { free(resolved) }
      // The path may lead to another file by now: one that an upgrade put there.
      var (running, named) = (stat(), stat())
      guard stat(link, &running) == 0, stat(resolved, &named) == 0, running.st_ino == named.st_ino,
        running.st_dev == named.st_dev
      else { return link }
      return String(cString: resolved)
    #endif
  }
}

enum ProcessEnvironment {
  /// The C library's `environ`, which Swift does not hand out: any thread may change it. This process has one thread.
  static var pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    #if canImport(Darwin)
      return _NSGetEnviron().pointee
    #else
      typealias List = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
      return dlsym(nil, "environ")?.assumingMemoryBound(to: List?.self).pointee
    #endif
  }
}
