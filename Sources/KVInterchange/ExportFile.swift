import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A file that appears under its name only once it is whole: bytes go to a neighbour, which takes the name at the end.
// Invariants:
// - until `finish()` returns, whatever lay at `path` is untouched
// - a file given up leaves nothing behind
public final class ExportFile {
  public let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// - Throws: `permissionDenied`, `notFound`, `diskFull` or `inputOutput`.
  public init(path: String) throws(StoreError) {
    self.path = path
    temporaryPath = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).partial"
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemFailure.error("cannot create \(temporaryPath)", number: errno) }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
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
    guard rename(temporaryPath, path) == 0 else { throw SystemFailure.error("cannot name \(path)", number: errno) }
    close(descriptor)
    descriptor = -1
  }
}
