import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants: while it is held, no other process has the store open through LMDB, and whoever opens it waits. The
// system drops all locks that a process has on a file when the process closes any descriptor of it: so nothing of this
// process may close `lock.mdb` in between.

/// Keeps a store to this process. Every process that has an LMDB environment open holds a shared lock on the first byte
/// of `lock.mdb`; this is the exclusive one.
struct ExclusiveHold {
  /// How often it is asked for, 50 ms apart: an inspector that looks in is soon gone.
  private static let attemptLimit = 20
  private let descriptor: Int32
  private let folder: String

  /// - Precondition: this process has the store open.
  /// - Throws: `busy` where another one has, too.
  init(_ folder: String) throws(StoreError) {
    self.folder = folder
    descriptor = open("\(folder)/lock.mdb", O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw StoreFile(directory: folder).systemError("lock") }
    for attempt in 1... {
      var region = Self.firstByte(F_WRLCK)
      if fcntl(descriptor, F_SETLK, &region) == 0 { return }
      guard errno == EACCES || errno == EAGAIN || errno == EINTR else {
        let error = StoreFile(directory: folder).systemError("lock")
        close(descriptor)
        throw error
      }
      if attempt == Self.attemptLimit { break }
      usleep(50_000)
    }
    var region = Self.firstByte(F_WRLCK)
    let isKnown = fcntl(descriptor, F_GETLK, &region) == 0 && region.l_type != Int16(F_UNLCK) && region.l_pid > 0
    close(descriptor)
    throw StoreError(
      .busy,
      "another process\(isKnown ? " (\(region.l_pid))" : "") has \(folder) open: end it and try again, or write a "
        + "compacted copy beside it with --into")
  }

  /// Everyone else may open the store again.
  func release() { close(descriptor) }

  /// Makes LMDB refuse the lock file until it is made anew. A process that waits to open the store would take the lock
  /// file's word for which transaction is the newest.
  func invalidateLockFile() throws(StoreError) {
    var magic: UInt32 = 0
    guard pwrite(descriptor, &magic, MemoryLayout.size(ofValue: magic), 0) == MemoryLayout.size(ofValue: magic) else {
      throw StoreFile(directory: folder).systemError("write the lock file of")
    }
  }

  private static func firstByte(_ type: Int32) -> flock {
    var region = flock()
    region.l_type = Int16(type)
    region.l_whence = Int16(SEEK_SET)
    region.l_start = 0
    region.l_len = 1
    return region
  }
}
