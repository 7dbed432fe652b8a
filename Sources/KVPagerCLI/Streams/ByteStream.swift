import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A stream to write to, without a buffer. SIGPIPE is ignored, so a reader that went away is an error.
struct ByteStream: Sendable {
  let descriptor: Int32
  let name: String

  static let output = ByteStream(descriptor: STDOUT_FILENO, name: "standard output")
  static let error = ByteStream(descriptor: STDERR_FILENO, name: "standard error")

  var isTerminal: Bool { isatty(descriptor) == 1 }

  func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
    let failure = writeAll(bytes)
    guard failure != 0 else { return }
    throw .system("cannot write to \(name)", number: failure)
  }

  /// Writes text for people or programs. Whoever closed the pipe early has read enough: that is no error.
  func write(_ text: String) throws(StoreError) {
    var text = text
    let failure = text.withUTF8 { writeAll(UnsafeRawBufferPointer($0)) }
    guard failure != 0, failure != EPIPE else { return }
    throw .system("cannot write to \(name)", number: failure)
  }

  /// Writes text; false where whoever read it closed the pipe.
  func isTaking(_ text: String) throws(StoreError) -> Bool {
    var text = text
    let failure = text.withUTF8 { writeAll(UnsafeRawBufferPointer($0)) }
    guard failure != 0, failure != EPIPE else { return failure == 0 }
    throw .system("cannot write to \(name)", number: failure)
  }

  func writeLine(_ text: String) throws(StoreError) { try write(text + "\n") }

  /// The operating system's error number, 0 for none.
  private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      #if canImport(Darwin)
        let count = Darwin.write(descriptor, base, rest.count)
      #elseif canImport(Glibc)
        let count = Glibc.write(descriptor, base, rest.count)
      #elseif canImport(Musl)
        let count = Musl.write(descriptor, base, rest.count)
      #endif
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
