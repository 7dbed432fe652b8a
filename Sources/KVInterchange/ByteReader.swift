/// Reads little-endian fields one after another, through a window of bounded size.
///
/// Every length is compared with what is left of the source before a byte is allocated or skipped.
// Invariants:
// - `offset` lies within the source or at its end
// - `window` holds the source's bytes from `windowOffset` on, at most `windowByteCountLimit`
final class ByteReader {
  private static let windowByteCountLimit = 1 << 16
  private static let shortByteCountLimit = 1 << 12

  let source: ByteSource
  private(set) var offset: Int
  /// How much of a structure was recognised; set by whoever reads one, to tell a likely reading from an unlikely one.
  var milestone = 0
  private var window: [UInt8] = []
  private var windowOffset = 0

  init(_ source: ByteSource, offset: Int = 0) {
    self.source = source
    self.offset = offset
  }

  func assertInvariants() {
    assert((0...source.byteCount).contains(offset), "the offset lies within the source")
    assert(
      window.count <= Self.windowByteCountLimit && windowOffset + window.count <= source.byteCount, "the window fits")
  }

  var remainingByteCount: Int { source.byteCount - offset }
  var isAtEnd: Bool { offset == source.byteCount }

  func seek(to newOffset: Int) {
    precondition((0...source.byteCount).contains(newOffset), "seek outside the source")
    offset = newOffset
  }

  func u8(_ field: @autoclosure () -> String) throws(FormatError) -> UInt8 {
    try fill(1, field())
    offset += 1
    return window[offset - 1 - windowOffset]
  }

  func u32(_ field: @autoclosure () -> String) throws(FormatError) -> UInt32 {
    try fill(4, field())
    let at = offset - windowOffset
    offset += 4
    return UInt32(window[at]) | UInt32(window[at + 1]) << 8 | UInt32(window[at + 2]) << 16 | UInt32(window[at + 3])
      << 24
  }

  func i32(_ field: @autoclosure () -> String) throws(FormatError) -> Int32 {
    Int32(bitPattern: try u32(field()))
  }

  func u64(_ field: @autoclosure () -> String) throws(FormatError) -> UInt64 {
    try fill(8, field())
    let at = offset - windowOffset
    offset += 8
    var value: UInt64 = 0
    for index in 0..<8 { value |= UInt64(window[at + index]) << (8 * UInt64(index)) }
    return value
  }

  /// A count of things that take at least `minimumByteCount` bytes each, checked against the limit and against what
  /// is left.
  func count(
    _ field: String, limit: Int, minimumByteCount: Int
  ) throws(FormatError) -> Int {
    let start = offset
    let count = Int(try u32(field))
    guard count <= limit else { throw FormatError("\(field) is \(count), over the limit of \(limit)", offset: start) }
    guard count.multipliedReportingOverflow(by: minimumByteCount).partialValue <= remainingByteCount else {
      throw FormatError(
        "\(field) is \(count), which takes at least \(count * minimumByteCount) bytes; \(remainingByteCount) are left",
        offset: start)
    }
    return count
  }

  func bytes(_ count: Int, _ field: @autoclosure () -> String) throws(FormatError) -> [UInt8] {
    try require(count, field())
    defer { offset += count }
    // A vocabulary is a quarter of a million short texts: they come from the window.
    guard count > Self.shortByteCountLimit else {
      try fill(count, field())
      let at = offset - windowOffset
      return Array(window[at..<at + count])
    }
    return try source.bytes(at: offset, count: count)
  }

  /// `count` 32-bit integers.
  func words(_ count: Int, _ field: @autoclosure () -> String) throws(FormatError) -> [Int32] {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: 4)
    guard count >= 0, !overflow else { throw FormatError("\(field()) is too long", offset: offset) }
    let bytes = try bytes(byteCount, field())
    return bytes.withUnsafeBytes { raw in
      (0..<count).map { Int32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    }
  }

  /// Passes over `unitCount` units of `unitByteCount` bytes each.
  func skip(_ unitCount: Int, of unitByteCount: Int, _ field: @autoclosure () -> String) throws(FormatError) {
    let (byteCount, overflow) = unitCount.multipliedReportingOverflow(by: unitByteCount)
    guard !overflow, byteCount >= 0 else { throw FormatError("\(field()) is too long to exist", offset: offset) }
    try require(byteCount, field())
    offset += byteCount
  }

  private func require(_ count: Int, _ field: @autoclosure () -> String) throws(FormatError) {
    guard count >= 0, count <= remainingByteCount else {
      throw FormatError(
        "the input ends inside \(field()): \(count) bytes wanted, \(remainingByteCount) left", offset: offset)
    }
  }

  private func fill(_ count: Int, _ field: @autoclosure () -> String) throws(FormatError) {
    if offset >= windowOffset, offset + count <= windowOffset + window.count { return }
    try require(count, field())
    window = try source.bytes(at: offset, count: min(Self.windowByteCountLimit, remainingByteCount))
    windowOffset = offset
    assertInvariants()
  }
}
