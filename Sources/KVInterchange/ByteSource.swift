import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Bytes that can be read at any offset: an open file of any size, or memory. Files are never read whole.
///
/// Safe to use from several threads at a time: reads carry their own offset.
public final class ByteSource: Sendable {
  private enum Storage: @unchecked Sendable {  // because: borrowed memory is only read
    case file(descriptor: Int32)
    case memory([UInt8])
    case borrowed(UnsafeRawBufferPointer)
  }

  private let storage: Storage
  /// Bytes in the source, taken when it was opened.
  public let byteCount: Int

  /// Opens a regular file for reading.
  /// - Throws: `notFound`, `permissionDenied`, `invalidArgument` for what is no regular file, or `inputOutput`.
  public init(path: String) throws(StoreError) {
    // O_NONBLOCK: opening a pipe must come back, so that it can be refused.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw SystemFailure.error("cannot open \(path)", number: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let number = errno
      close(descriptor)
      throw SystemFailure.error("cannot examine \(path)", number: number)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .invalidArgument("\(path) is no regular file; give a file that holds a state")
    }
    storage = .file(descriptor: descriptor)
    byteCount = Int(status.st_size)
  }

  public init(bytes: [UInt8]) {
    storage = .memory(bytes)
    byteCount = bytes.count
  }

  /// Reads memory where it lies. It must stay, unchanged, as long as the source and every state that was read from it.
  public init(borrowing bytes: UnsafeRawBufferPointer) {
    storage = .borrowed(bytes)
    byteCount = bytes.count
  }

  deinit {
    if case .file(let descriptor) = storage { close(descriptor) }
  }

  /// Fills `destination` with the bytes from `offset` on.
  /// - Throws: ``FormatError`` where the source ends before, also when a file shrank since it was opened, or cannot
  ///   be read.
  public func read(at offset: Int, into destination: UnsafeMutableRawBufferPointer) throws(FormatError) {
    guard offset >= 0, offset <= byteCount, destination.count <= byteCount - offset else {
      throw FormatError(
        "\(destination.count) bytes are wanted and the input ends after \(byteCount)",
        offset: min(max(offset, 0), byteCount))
    }
    switch storage {
    case .memory(let bytes):
      bytes.withUnsafeBytes {
        destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset...].prefix(destination.count)))
      }
    case .borrowed(let bytes):
      destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset...].prefix(destination.count)))
    case .file(let descriptor):
      var done = 0
      while done < destination.count {
        let count = pread(
          descriptor, destination.baseAddress.map { $0 + done }, destination.count - done, off_t(offset + done))
        if count > 0 {
          done += count
        } else if count == 0 {
          throw FormatError("the file became shorter while it was read", offset: offset + done)
        } else if errno != EINTR {
          throw FormatError("the file cannot be read: \(SystemFailure.text(errno))", offset: offset + done)
        }
      }
    }
  }

  /// `count` bytes from `offset` on; the count is checked against the source before anything is allocated.
  package func bytes(at offset: Int, count: Int) throws(FormatError) -> [UInt8] {
    guard count >= 0, offset >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw FormatError(
        "\(count) bytes are wanted and the input ends after \(byteCount)", offset: min(max(offset, 0), byteCount))
    }
    var failure: FormatError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      do throws(FormatError) {
        try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        initializedCount = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
