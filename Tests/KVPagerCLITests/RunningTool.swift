import Foundation
import Testing

/// The command while it runs, in a process group of its own, as a shell starts it; its standard output is a pipe that
/// nobody reads until it is asked for, so that a long answer waits in the middle.
final class RunningTool {
  enum Ending: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  let processID: pid_t
  private let output: FileHandle
  private let errorPath: String
  private let folder: Folder
  private var hasEnded = false

  init(_ arguments: [String]) throws {
    folder = try Folder()
    errorPath = folder.file("error")
    try folder.write(Data(), to: "error")
    let pipe = Pipe()
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, pipe.fileHandleForWriting.fileDescriptor, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errorPath, O_WRONLY | O_TRUNC, 0)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    var words = ([CommandLineTool.path] + arguments).map { strdup($0) } + [nil]
    var variables =
      ProcessInfo.processInfo.environment.filter { $0.key != "KVPAGER_STORE" }
      .map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + variables { free(word) } }
    var processID: pid_t = 0
    let code = posix_spawn(&processID, CommandLineTool.path, &actions, &attributes, &words, &variables)
    try #require(code == 0)
    self.processID = processID
    try pipe.fileHandleForWriting.close()
    output = pipe.fileHandleForReading
  }

  deinit {
    if !hasEnded {
      kill(-processID, SIGKILL)
      var status: Int32 = 0
      waitpid(processID, &status, 0)
    }
  }

  /// Waits until something was written to standard output.
  func awaitOutput() throws {
    var request = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
    var count: Int32 = 0
    repeat { count = poll(&request, 1, 60_000) } while count < 0 && errno == EINTR
    try #require(count == 1 && request.revents & Int16(POLLIN) != 0, "the command writes")
  }

  /// The processes that this one started.
  func children() throws -> [pid_t] { try RunningProcess.children(of: processID) }

  /// Reads what is left to read, and waits for the end.
  func finish() throws -> (ending: Ending, output: Data, error: String) {
    let bytes = try output.readToEnd() ?? Data()
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    hasEnded = true
    let number = status & 0x7f
    return (
      number == 0 ? .exit((status >> 8) & 0xff) : .signal(number), bytes,
      try String(contentsOfFile: errorPath, encoding: .utf8)
    )
  }

  /// Nobody of the group is left. Zombies are taken away by init, which may take a moment.
  func isGroupGone() -> Bool {
    for _ in 0..<600 {
      if kill(-processID, 0) != 0, errno == ESRCH { return true }
      usleep(50_000)
    }
    return false
  }
}
