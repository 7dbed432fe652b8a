import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Lines of a file or a pipe, one after the other, however long the file is. A line has a limit.
struct LineReader {
  static let lineByteCountLimit = 4 << 20
  private static let blockByteCount = 256 << 10

  private let descriptor: Int32
  private let name: String
  private var bytes: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  private(set) var lineNumber = 0

  init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// The next line without its end, which may be "\r\n"; nil at the end.
  mutating func next() throws(StoreError) -> ArraySlice<UInt8>? {
    var searched = start
    while true {
      if let end = bytes[searched...].firstIndex(of: 0x0a) {
        defer { start = end + 1 }
        return line(start..<end)
      }
      searched = bytes.count
      if isAtEnd {
        guard start < bytes.count else { return nil }
        defer { start = bytes.count }
        return line(start..<bytes.count)
      }
      guard bytes.count - start <= Self.lineByteCountLimit else {
        throw StoreError(
          .damaged,
          "\(name), line \(lineNumber + 1): longer than \(Self.lineByteCountLimit >> 20) MiB; "
            + "a trace has one request a line")
      }
      searched -= start
      bytes.removeFirst(start)
      start = 0
      try fill()
    }
  }

  private mutating func line(_ range: Range<Int>) -> ArraySlice<UInt8> {
    lineNumber += 1
    let line = bytes[range]
    return line.last == 0x0d ? line.dropLast() : line
  }

  private mutating func fill() throws(StoreError) {
    let old = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: Self.blockByteCount))
    var count = -1
    repeat {
      count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + old, Self.blockByteCount) }
    } while count < 0 && errno == EINTR
    bytes.removeLast(Self.blockByteCount - max(0, count))
    if count < 0 {
      throw StoreError(.inputOutput, "cannot read \(name)", cause: String(cString: strerror(errno)))
    }
    isAtEnd = count == 0
  }
}
