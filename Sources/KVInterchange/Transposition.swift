/// Matrices of 1-, 2- or 4-byte elements turned between channel-major strips and token-major rows.
enum Transposition {
  /// Rows turned at a time: with a cache line of each column they stay in the first-level cache.
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
    guard let from = strips.baseAddress, let to = rows.baseAddress else { return }
    turn(
      from, rowStride: elementCount * elementByteCount, rowCount: stripCount, columnCount: elementCount,
      elementByteCount: elementByteCount, to: to + firstColumn * elementByteCount, rowStride: rowByteCount)
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
    guard let from = rows.baseAddress, let to = strips.baseAddress else { return }
    turn(
      from + firstColumn * elementByteCount, rowStride: rowByteCount, rowCount: rowCount, columnCount: stripCount,
      elementByteCount: elementByteCount, to: to + firstElement * elementByteCount,
      rowStride: elementCount * elementByteCount)
  }

  /// Row `r`, column `c` of the source becomes row `c`, column `r` of the target.
  private static func turn(
    _ source: UnsafeRawPointer, rowStride: Int, rowCount: Int, columnCount: Int, elementByteCount: Int,
    to target: UnsafeMutableRawPointer, rowStride targetStride: Int
  ) {
    let shape = Shape(
      source: source, sourceStride: rowStride, target: target, targetStride: targetStride, columnCount: columnCount)
    for row in stride(from: 0, to: rowCount, by: tile) {
      let rows = row..<min(row + tile, rowCount)
      switch elementByteCount {
      case 1: shape.turn(UInt8.self, rows, 0..<columnCount)
      case 2: shape.turnPairs(rows)
      case 4: shape.turn(UInt32.self, rows, 0..<columnCount)
      default: preconditionFailure("elements of \(elementByteCount) bytes")
      }
    }
  }

  private struct Shape {
    let source: UnsafeRawPointer
    let sourceStride: Int
    let target: UnsafeMutableRawPointer
    let targetStride: Int
    let columnCount: Int

    /// Element by element.
    @inline(__always)
    func turn<Element: FixedWidthInteger>(_: Element.Type, _ rows: Range<Int>, _ columns: Range<Int>) {
      let size = MemoryLayout<Element>.size
      for column in columns {
        let origin = source + column * size
        let place = target + column * targetStride
        for row in rows {
          let value = origin.loadUnaligned(fromByteOffset: row * sourceStride, as: Element.self)
          place.storeBytes(of: value, toByteOffset: row * size, as: Element.self)
        }
      }
    }

    /// Elements of two bytes, four rows and four columns at a time, each row of four in one word.
    func turnPairs(_ rows: Range<Int>) {
      let wholeRows = rows.lowerBound..<rows.lowerBound + rows.count / 4 * 4
      let wholeColumns = columnCount / 4 * 4
      for column in stride(from: 0, to: wholeColumns, by: 4) {
        let origin = source + column * 2
        let place = target + column * targetStride
        for row in stride(from: wholeRows.lowerBound, to: wholeRows.upperBound, by: 4) {
          turnFour(origin + row * sourceStride, place + row * 2)
        }
      }
      turn(UInt16.self, wholeRows, wholeColumns..<columnCount)
      turn(UInt16.self, wholeRows.upperBound..<rows.upperBound, 0..<columnCount)
    }

    @inline(__always)
    private func turnFour(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer) {
      let low: UInt64 = 0x0000_ffff_0000_ffff
      func word(_ row: Int) -> UInt64 {
        UInt64(littleEndian: from.loadUnaligned(fromByteOffset: row * sourceStride, as: UInt64.self))
      }
      func store(_ word: UInt64, _ column: Int) {
        to.storeBytes(of: word.littleEndian, toByteOffset: column * targetStride, as: UInt64.self)
      }
      let (a, b, c, d) = (word(0), word(1), word(2), word(3))
      // Elements 0 and 2 of two rows beside each other, then 1 and 3.
      let ab0 = a & low | (b & low) << 16
      let ab1 = a >> 16 & low | b & ~low
      let cd0 = c & low | (d & low) << 16
      let cd1 = c >> 16 & low | d & ~low
      store(ab0 & 0xffff_ffff | cd0 << 32, 0)
      store(ab1 & 0xffff_ffff | cd1 << 32, 1)
      store(ab0 >> 32 | cd0 & 0xffff_ffff_0000_0000, 2)
      store(ab1 >> 32 | cd1 & 0xffff_ffff_0000_0000, 3)
    }
  }
}
