import KVBlocks

/// A file to be written from a session: its exact size is known before the first byte.
public protocol StateExport: Sendable {
  /// Bytes that ``write(to:gather:progress:)`` will give to its sink.
  var byteCount: Int { get }
  /// Rows that are written.
  var rowCount: Int { get }

  /// Writes the file from its first byte to its last, holding at most about 64 MiB.
  ///
  /// - Parameters:
  ///   - sink: takes the next bytes; they are valid during the call only.
  ///   - gather: fills a buffer with rows of a plane (an index into the planes given at the start), token-major. Rows
  ///     of planes that are written transposed and are large may be asked for more than once.
  ///   - progress: is told the bytes written so far.
  func write<Failure: Error>(
    to sink: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    gather: (_ plane: Int, _ rows: Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void,
    progress: ((Int) -> Void)?
  ) throws(Failure)

  /// Writes the file into memory of ``byteCount`` bytes: rows go straight to their places, all planes at one time.
  ///
  /// - Parameters:
  ///   - buffer: takes all of the file.
  ///   - read: fills the destinations with `rows` of their planes, token-major.
  func write<Failure: Error>(
    into buffer: UnsafeMutableRawBufferPointer,
    read: (_ rows: Range<Int>, [PlaneDestination]) throws(Failure) -> Void
  ) throws(Failure)
}

extension StateExport {
  public func write<Failure: Error>(
    into buffer: UnsafeMutableRawBufferPointer,
    read: (_ rows: Range<Int>, [PlaneDestination]) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(buffer.count == byteCount, "a buffer of the file's size")
    var cursor = 0
    try write(
      to: { (bytes) throws(Failure) in
        UnsafeMutableRawBufferPointer(rebasing: buffer[cursor..<cursor + bytes.count]).copyMemory(from: bytes)
        cursor += bytes.count
      },
      gather: { (plane, rows, destination) throws(Failure) in
        try read(rows, [PlaneDestination(plane: plane, bytes: destination)])
      },
      progress: nil)
  }

  /// Writes the file into `file`. `gather` as in ``write(to:gather:progress:)``.
  public func write(
    to file: ExportFile,
    gather: (_ plane: Int, _ rows: Range<Int>, UnsafeMutableRawBufferPointer) throws(StoreError) -> Void,
    progress: ((Int) -> Void)? = nil
  ) throws(StoreError) {
    try write(
      to: { (bytes) throws(StoreError) in try file.write(bytes) }, gather: gather, progress: progress)
  }

  /// Bytes of rows handed over at a time.
  static var pieceByteCount: Int { 4 << 20 }
}

/// Collects small fields and hands them on in pieces.
struct PieceBuffer {
  private static let limit = 1 << 18
  private var bytes: [UInt8] = []
  private(set) var writtenByteCount = 0
  private let progress: ((Int) -> Void)?

  init(progress: ((Int) -> Void)?) {
    self.progress = progress
    bytes.reserveCapacity(Self.limit)
  }

  mutating func integer<Failure: Error>(
    _ value: some FixedWidthInteger, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    if bytes.count >= Self.limit { try flush(sink) }
  }

  mutating func append<Failure: Error>(
    _ more: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    if more.count < Self.limit {
      bytes += more
      if bytes.count >= Self.limit { try flush(sink) }
    } else {
      try flush(sink)
      try sink(more)
      writtenByteCount += more.count
      progress?(writtenByteCount)
    }
  }

  mutating func append<Failure: Error>(
    _ more: [UInt8], _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var start = 0
    while start < more.count {
      let end = min(more.count, start + Self.limit / 2)
      bytes += more[start..<end]
      start = end
      if bytes.count >= Self.limit { try flush(sink) }
    }
  }

  mutating func flush<Failure: Error>(_ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    guard !bytes.isEmpty else { return }
    try bytes.withUnsafeBufferPointer { (full) throws(Failure) in try sink(UnsafeRawBufferPointer(full)) }
    writtenByteCount += bytes.count
    bytes.removeAll(keepingCapacity: true)
    progress?(writtenByteCount)
  }
}
