import CKVPager
import KVPager

/// The rows of one plane in the caller's memory, checked: every row and part lies inside the address space, and none
/// overlaps another.
struct StridedRows {
  let base: UnsafeMutableRawPointer
  let rowByteCount: Int
  let rowCount: Int
  private let tokenStride: Int
  private let partByteCount: Int
  private let partCount: Int
  private let partStride: Int

  /// Nil where `rows` name no memory: the plane is not wanted.
  init?(_ rows: kvpager_rows, plane: Int, rowByteCount: Int, rowCount: Int) throws(StoreError) {
    let tokenStride = try Argument.count(rows.token_stride, "token_stride")
    let partByteCount = try Argument.count(rows.part_bytes, "part_bytes")
    let partStride = try Argument.count(rows.part_stride, "part_stride")
    guard let base = rows.base else { return nil }
    guard partByteCount == 0 || rowByteCount % partByteCount == 0 else {
      throw .invalidArgument(
        "plane \(plane): rows of \(rowByteCount) bytes are not made of parts of \(partByteCount) bytes")
    }
    self.base = base
    self.rowByteCount = rowByteCount
    self.rowCount = rowCount
    self.tokenStride = tokenStride == 0 ? rowByteCount : tokenStride
    self.partByteCount = partByteCount == 0 ? rowByteCount : partByteCount
    partCount = rowByteCount / self.partByteCount
    self.partStride = partByteCount == 0 || partCount == 1 ? self.partByteCount : partStride
    try check(plane: plane)
  }

  private func check(plane: Int) throws(StoreError) {
    guard rowCount > 0 else { return }
    guard let overTokens = Self.extent(rowCount, tokenStride), let overParts = Self.extent(partCount, partStride),
      case let (extent, overflow) = overTokens.addingReportingOverflow(overParts), !overflow,
      case let (byteCount, overflow2) = extent.addingReportingOverflow(partByteCount), !overflow2,
      !UInt(bitPattern: base).addingReportingOverflow(UInt(byteCount)).overflow
    else {
      throw .invalidArgument(
        "plane \(plane): \(rowCount) rows at strides of \(tokenStride) and \(partStride) bytes do not fit into memory")
    }
    let partsLieInRows = tokenStride >= overParts + partByteCount || rowCount == 1
    let rowsLieInParts = partStride >= overTokens + partByteCount || partCount == 1
    let partsAreApart = partStride >= partByteCount || partCount == 1
    let rowsAreApart = tokenStride >= partByteCount || rowCount == 1
    guard partsLieInRows && partsAreApart || rowsLieInParts && rowsAreApart else {
      throw .invalidArgument(
        "plane \(plane): at strides of \(tokenStride) bytes a token and \(partStride) a part, rows would overlap")
    }
  }

  /// From the first of `count` things to the last.
  private static func extent(_ count: Int, _ stride: Int) -> Int? {
    let (extent, overflow) = (count - 1).multipliedReportingOverflow(by: stride)
    return overflow ? nil : extent
  }

  var isContiguous: Bool { tokenStride == rowByteCount && (partCount == 1 || partStride == partByteCount) }

  /// The bytes of `rows`, which follow one another. - Precondition: `isContiguous`.
  func bytes(_ rows: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base + rows.lowerBound * rowByteCount, count: rows.count * rowByteCount)
  }

  /// Copies `rows` to token-major bytes.
  func copy(_ rows: Range<Int>, to target: UnsafeMutableRawBufferPointer) {
    if isContiguous { return target.copyMemory(from: UnsafeRawBufferPointer(bytes(rows))) }
    guard let start = target.baseAddress else { return }
    forEachPart(rows) { part, offset in (start + offset).copyMemory(from: part, byteCount: partByteCount) }
  }

  /// Fills `rows` from token-major bytes.
  func fill(_ rows: Range<Int>, from source: UnsafeRawBufferPointer) {
    if isContiguous { return bytes(rows).copyMemory(from: source) }
    guard let start = source.baseAddress else { return }
    forEachPart(rows) { part, offset in part.copyMemory(from: start + offset, byteCount: partByteCount) }
  }

  /// Each part of `rows` in the caller's memory, and its offset in token-major bytes of just these rows.
  @inline(__always)
  private func forEachPart(_ rows: Range<Int>, _ body: (UnsafeMutableRawPointer, Int) -> Void) {
    for row in rows {
      var part = base + row * tokenStride
      var offset = (row - rows.lowerBound) * rowByteCount
      for _ in 0..<partCount {
        body(part, offset)
        // Not beyond the last part: that address need not exist.
        offset += partByteCount
        part = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: part) &+ UInt(partStride)) ?? part
      }
    }
  }
}

/// The rows of all planes of a space in the caller's memory.
struct PlaneTable {
  let layout: BlockLayout
  /// By plane; nil for one that is not wanted.
  let planes: [StridedRows?]

  /// - Parameter needsAll: whether each plane must be there.
  init(
    _ rows: UnsafePointer<kvpager_rows>?, count: Int64, layout: BlockLayout, rowCount: Int, needsAll: Bool
  ) throws(StoreError) {
    guard count == Int64(layout.planes.count) else {
      throw .invalidArgument("plane_count is \(count); the space has \(layout.planes.count) planes")
    }
    guard let rows else { throw .invalidArgument("planes is NULL; it names the memory of each plane") }
    var planes: [StridedRows?] = []
    for (plane, shape) in layout.planes.enumerated() {
      let strided = try StridedRows(
        rows[plane], plane: plane, rowByteCount: shape.rowByteCount, rowCount: rowCount)
      guard strided != nil || !needsAll || rowCount == 0 else {
        throw .invalidArgument("plane \(plane): base is NULL; every plane's rows are needed")
      }
      planes.append(strided)
    }
    self.layout = layout
    self.planes = planes
  }

  /// Writes appended rows into a block.
  func write(to writer: borrowing RowWriter) {
    for (plane, rows) in planes.enumerated() {
      writer.withUnsafeRows(ofPlane: plane) { rows?.copy(writer.tokens, to: $0) }
    }
  }
}
