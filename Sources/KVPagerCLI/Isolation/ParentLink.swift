#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What ties a child to the parent that waits for it: a pipe whose other end only the parent has. Where the parent is
/// killed, the pipe ends, and the child with it.
///
/// The child hears of it as of a terminal that is gone, so that one that shows a screen gives that back; whatever does
/// not end of it within a moment is killed.
enum ParentLink {
  /// "descriptor:inode" of the pipe: a variable that strayed to another process names no pipe of that process.
  private static let variable = "KVPAGER_PARENT"
  private static let graceSeconds: UInt32 = 1

  /// What the parent lays out before it starts the child.
  struct Offer {
    private let readEnd: Int32

    /// Nil where no pipe can be had.
    init?() {
      var ends: [Int32] = [-1, -1]
      guard pipe(&ends) == 0 else { return nil }
      // The child inherits the end that it reads from; the other stays with this process until that ends.
      guard fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0, let inode = ParentLink.pipeInode(ends[0]) else {
        close(ends[0])
        close(ends[1])
        return nil
      }
      readEnd = ends[0]
      setenv(ParentLink.variable, "\(ends[0]):\(inode)", 1)
    }

    /// The child has it by now, or there is none.
    func withdraw() {
      unsetenv(ParentLink.variable)
      close(readEnd)
    }
  }

  /// In a child: ends this process when its parent ends. False in a process that somebody else started.
  static func take() -> Bool {
    guard let value = getenv(variable).map({ String(cString: $0) }) else { return false }
    // What this process starts is nobody's child in this sense.
    unsetenv(variable)
    let parts = value.split(separator: ":")
    guard parts.count == 2, let descriptor = Int32(parts[0]), let inode = UInt64(parts[1]),
      pipeInode(descriptor) == inode
    else { return false }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    watch(descriptor)
    return true
  }

  private static func watch(_ descriptor: Int32) {
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let argument = UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1)
    pthread_create(
      &thread, nil,
      { argument in
        let descriptor = Int32(Int(bitPattern: argument) - 1)
        var byte: UInt8 = 0
        while true {
          let count = read(descriptor, &byte, 1)
          if count < 0, errno == EINTR { continue }
          _ = kill(getpid(), SIGHUP)
          sleep(ParentLink.graceSeconds)
          // As if the parent's end had been this process's own.
          _ = kill(getpid(), SIGKILL)
          return nil
        }
      }, argument)
  }

  private static func pipeInode(_ descriptor: Int32) -> UInt64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return nil }
    return UInt64(status.st_ino)
  }
}
