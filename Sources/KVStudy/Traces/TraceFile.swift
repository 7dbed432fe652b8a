import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A trace's file, plain or compressed with zstd.
package struct TraceFile {
  private static let zstdMagic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

  package let path: String

  package init(path: String) { self.path = path }

  private var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Reads it all. The file's bytes are never held at once.
  /// - Throws: `notFound`, `permissionDenied`; `damaged`, naming the line, for what is no trace.
  package func workload() throws(StoreError) -> ServingWorkload {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("cannot open \(path)") }
    defer { close(descriptor) }
    guard try isCompressed(descriptor) else {
      var lines = LineReader(descriptor: descriptor, name: name)
      return try TraceReader.workload(&lines, name: name)
    }
    let program = try ZstdProgram(decompressing: descriptor, name: name)
    do throws(StoreError) {
      var lines = LineReader(descriptor: program.output, name: name)
      let workload = try TraceReader.workload(&lines, name: name)
      try program.finish()
      return workload
    } catch {
      program.stop()
      throw error
    }
  }

  private func isCompressed(_ descriptor: Int32) throws(StoreError) -> Bool {
    var first = [UInt8](repeating: 0, count: Self.zstdMagic.count)
    let count = pread(descriptor, &first, first.count, 0)
    if count < 0 {
      // A pipe cannot be looked into beforehand: it is read as it comes.
      guard errno == ESPIPE else { throw failure("cannot read \(path)") }
      return false
    }
    return count == first.count && first == Self.zstdMagic
  }

  private func failure(_ message: String) -> StoreError {
    let code: StoreError.Code =
      switch errno {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, EPERM: .permissionDenied
      default: .inputOutput
      }
    return StoreError(code, message, cause: String(cString: strerror(errno)))
  }
}

/// The program `zstd` at work on a file: what it writes is read from a pipe.
final class ZstdProgram {
  let output: Int32
  private let process: pid_t
  private let name: String
  private var isDone = false

  init(decompressing input: Int32, name: String) throws(StoreError) {
    self.name = name
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      throw StoreError(.inputOutput, "cannot make a pipe", cause: String(cString: strerror(errno)))
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    // What is wrong with the file is said here, by name and line.
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("zstd"), strdup("-dcq"), nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let status = posix_spawnp(&process, "zstd", &actions, nil, &arguments, environ)
    close(ends[1])
    guard status == 0 else {
      close(ends[0])
      throw StoreError(
        .inputOutput,
        "\(name) is compressed and the program zstd does not start: install it (apt-get install zstd, brew install "
          + "zstd), or decompress the file where it is installed", cause: String(cString: strerror(status)))
    }
    output = ends[0]
    self.process = process
  }

  deinit { stop() }

  /// - Throws: `damaged` where the program did not get through the file.
  func finish() throws(StoreError) {
    guard !isDone else { return }
    isDone = true
    close(output)
    guard wait() == 0 else {
      throw StoreError(.damaged, "\(name) is damaged: zstd cannot decompress all of it; get the file anew")
    }
  }

  /// Ends the program, whatever it is at.
  func stop() {
    guard !isDone else { return }
    isDone = true
    close(output)
    kill(process, SIGKILL)
    _ = wait()
  }

  private func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status
  }
}
