import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A file that appears under its name only once it is whole: bytes go to a file without a name where the system has
/// such files, which vanishes with a killed process, else to a neighbour; it takes the name at the end.
// Invariants:
// - until `finish()` returns, whatever lay at `path` is untouched
// - a file given up leaves nothing behind
// - `hasTemporaryName` while something of ours lies at `temporaryPath`
public final class ExportFile {
  public let path: String
  private let temporaryPath: String
  private var hasTemporaryName: Bool
  private var descriptor: Int32

  /// - Throws: `permissionDenied`, `notFound`, `diskFull` or `inputOutput`.
  public init(path: String) throws(StoreError) {
    self.path = path
    temporaryPath = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).partial"
    descriptor = Self.openNameless(beside: path)
    hasTemporaryName = descriptor < 0
    guard hasTemporaryName else { return }
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemFailure.error("cannot create \(path)", number: errno) }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if hasTemporaryName { unlink(temporaryPath) }
  }

  /// A file in the folder of `path` that no name leads to; negative where the system or the file system has none, or
  /// could not name it later.
  private static func openNameless(beside path: String) -> Int32 {
    #if os(Linux)
      guard access("/proc/self/fd", X_OK) == 0 else { return -1 }
      let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
      // The kernel's O_TMPFILE: a flag of its own and O_DIRECTORY, so that kernels without it refuse.
      return open(folder, O_WRONLY | __O_TMPFILE | O_DIRECTORY | O_CLOEXEC, 0o644)
    #else
      return -1
    #endif
  }

  /// Gives a file without a name its temporary one: no call links over a file that exists, but `rename` does.
  private func takeTemporaryName() throws(StoreError) {
    #if os(Linux)
      guard !hasTemporaryName else { return }
      guard linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, temporaryPath, AT_SYMLINK_FOLLOW) == 0 else {
        throw SystemFailure.error("cannot name \(path)", number: errno)
      }
      hasTemporaryName = true
    #endif
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
    precondition(descriptor >= 0, "the file is finished")
    var rest = bytes
    while !rest.isEmpty {
      #if canImport(Darwin)
        let count = Darwin.write(descriptor, rest.baseAddress, rest.count)
      #else
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      #endif
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if errno != EINTR {
        throw SystemFailure.error("cannot write \(path)", number: errno)
      }
    }
  }

  /// Syncs the bytes to the disk and gives the file its name.
  public func finish() throws(StoreError) {
    precondition(descriptor >= 0, "the file is finished")
    guard fsync(descriptor) == 0 else { throw SystemFailure.error("cannot sync \(path)", number: errno) }
    try takeTemporaryName()
    guard rename(temporaryPath, path) == 0 else { throw SystemFailure.error("cannot name \(path)", number: errno) }
    close(descriptor)
    descriptor = -1
  }
}
