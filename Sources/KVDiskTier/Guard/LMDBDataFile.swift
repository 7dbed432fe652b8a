import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// LMDB's data file as the guard reads it: with `pread` alone, so that damage can cost an answer but never the process.
///
/// It never touches the lock file: closing any descriptor of that one would drop the locks LMDB holds in this process.
// Invariants: `descriptor` is open for reading from init to deinit and belongs to this value alone.
final class LMDBDataFile {
  let path: String
  private let descriptor: Int32
  private(set) var byteCountRead: UInt64 = 0

  /// Opens a data file, or the data file in an environment's directory.
  /// - Throws: `notFound`, `permissionDenied`, `notAStore` (no regular file), `inputOutput`.
  init(path: String) throws(StoreError) {
    var status = stat()
    var path = path
    guard stat(path, &status) == 0 else { throw Self.error(errno, path) }
    if status.st_mode & S_IFMT == S_IFDIR {
      path += "/data.mdb"
      guard stat(path, &status) == 0 else { throw Self.error(errno, path) }
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw StoreError(.notAStore, "\(path) is no regular file; name the store's directory")
    }
    // Non-blocking, in case a pipe takes the file's place between the two calls.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Self.error(errno, path) }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw StoreError(.notAStore, "\(path) is no regular file; name the store's directory")
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func byteCount() throws(StoreError) -> UInt64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.error(errno, path) }
    return UInt64(max(0, status.st_size))
  }

  /// Fills `buffer` from `offset` on. Returns the bytes read: fewer than the buffer has only where the file ends.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    var count = 0
    while count < buffer.count {
      guard let start = off_t(exactly: offset + UInt64(count)) else { return count }
      let result = pread(descriptor, buffer.baseAddress! + count, buffer.count - count, start)
      if result == 0 { break }
      if result < 0 {
        if errno == EINTR { continue }
        throw Self.error(errno, path)
      }
      count += result
    }
    byteCountRead += UInt64(count)
    return count
  }

  /// Asks the operating system to read this part ahead of its use. A hint: what becomes of it means nothing.
  func willNeed(_ offset: UInt64, byteCount: Int) {
    guard let start = off_t(exactly: offset) else { return }
    #if canImport(Darwin)
      var advice = radvisory(ra_offset: start, ra_count: Int32(clamping: byteCount))
      _ = fcntl(descriptor, F_RDADVISE, &advice)
    #else
      posix_fadvise(descriptor, start, off_t(byteCount), POSIX_FADV_WILLNEED)
    #endif
  }

  private static func error(_ number: Int32, _ path: String) -> StoreError {
    let cause = String(cString: strerror(number))
    switch number {
    case ENOENT, ENOTDIR: return StoreError(.notFound, "there is no store at \(path)", cause: cause)
    case EACCES, EPERM: return StoreError(.permissionDenied, "\(path) may not be read; check its owner", cause: cause)
    default: return StoreError(.inputOutput, "\(path) cannot be read; check the disk", cause: cause)
    }
  }
}
