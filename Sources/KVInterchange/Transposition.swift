/// Matrices of 1-, 2-, 4- or 8-byte elements turned between channel-major strips and token-major rows, in cache-sized
/// tiles.
enum Transposition {
  private static let tile = 32

  /// Strips (each `elementCount` elements of one column) to rows: strip `s` becomes column `firstColumn + s`.
  static func scatter(
    strips: UnsafeRawBufferPointer, stripCount: Int, elementCount: Int, elementByteCount: Int,
    into rows: UnsafeMutableRawBufferPointer, rowByteCount: Int, firstColumn: Int
  ) {
    precondition(strips.count >= stripCount * elementCount * elementByteCount, "strips end early")
    precondition(
      rows.count >= elementCount * rowByteCount && (firstColumn + stripCount) * elementByteCount <= rowByteCount,
      "rows end early")
    switch elementByteCount {
    case 1: scatter(UInt8.self, strips, stripCount, elementCount, rows, rowByteCount, firstColumn)
    case 2: scatter(UInt16.self, strips, stripCount, elementCount, rows, rowByteCount, firstColumn)
    case 4: scatter(UInt32.self, strips, stripCount, elementCount, rows, rowByteCount, firstColumn)
    default: preconditionFailure("elements of \(elementByteCount) bytes")
    }
  }

  /// Columns of rows to strips: column `firstColumn + s` of rows becomes elements of strip `s`, from `firstElement` on.
  static func gather(
    rows: UnsafeRawBufferPointer, rowCount: Int, rowByteCount: Int, firstColumn: Int, elementByteCount: Int,
    into strips: UnsafeMutableRawBufferPointer, stripCount: Int, elementCount: Int, firstElement: Int
  ) {
    precondition(
      strips.count >= stripCount * elementCount * elementByteCount && firstElement + rowCount <= elementCount,
      "strips end early")
    precondition(
      rows.count >= rowCount * rowByteCount && (firstColumn + stripCount) * elementByteCount <= rowByteCount,
      "rows end early")
    switch elementByteCount {
    case 1:
      gather(UInt8.self, rows, rowCount, rowByteCount, firstColumn, strips, stripCount, elementCount, firstElement)
    case 2:
      gather(UInt16.self, rows, rowCount, rowByteCount, firstColumn, strips, stripCount, elementCount, firstElement)
    case 4:
      gather(UInt32.self, rows, rowCount, rowByteCount, firstColumn, strips, stripCount, elementCount, firstElement)
    default: preconditionFailure("elements of \(elementByteCount) bytes")
    }
  }

  @inline(__always)
  private static func scatter<Element: FixedWidthInteger>(
    _: Element.Type, _ strips: UnsafeRawBufferPointer, _ stripCount: Int, _ elementCount: Int,
    _ rows: UnsafeMutableRawBufferPointer, _ rowByteCount: Int, _ firstColumn: Int
  ) {
    guard let from = strips.baseAddress, let to = rows.baseAddress else { return }
    let size = MemoryLayout<Element>.size
    for firstRow in stride(from: 0, to: elementCount, by: tile) {
      for firstStrip in stride(from: 0, to: stripCount, by: tile) {
        for row in firstRow..<min(firstRow + tile, elementCount) {
          let target = to + row * rowByteCount + firstColumn * size
          for strip in firstStrip..<min(firstStrip + tile, stripCount) {
            let value = from.loadUnaligned(fromByteOffset: (strip * elementCount + row) * size, as: Element.self)
            target.storeBytes(of: value, toByteOffset: strip * size, as: Element.self)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func gather<Element: FixedWidthInteger>(
    _: Element.Type, _ rows: UnsafeRawBufferPointer, _ rowCount: Int, _ rowByteCount: Int, _ firstColumn: Int,
    _ strips: UnsafeMutableRawBufferPointer, _ stripCount: Int, _ elementCount: Int, _ firstElement: Int
  ) {
    guard let from = rows.baseAddress, let to = strips.baseAddress else { return }
    let size = MemoryLayout<Element>.size
    for firstStrip in stride(from: 0, to: stripCount, by: tile) {
      for firstRow in stride(from: 0, to: rowCount, by: tile) {
        for strip in firstStrip..<min(firstStrip + tile, stripCount) {
          let origin = from + (firstColumn + strip) * size
          let target = to + (strip * elementCount + firstElement) * size
          for row in firstRow..<min(firstRow + tile, rowCount) {
            let value = origin.loadUnaligned(fromByteOffset: row * rowByteCount, as: Element.self)
            target.storeBytes(of: value, toByteOffset: row * size, as: Element.self)
          }
        }
      }
    }
  }
}
