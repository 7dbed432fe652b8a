import CKernels

/// The bit planes filter as the format's text has it, bit by bit: what the kernels are held to.
struct ReferenceFilter {
  let element: Int
  let rowCount: Int
  let rowByteCount: Int

  static let elements = [KV_ELEMENT_F16, KV_ELEMENT_BF16, KV_ELEMENT_F32, KV_ELEMENT_I8, KV_ELEMENT_NIBBLES]
  private static let widths = [KV_ELEMENT_F16: 2, KV_ELEMENT_BF16: 2, KV_ELEMENT_F32: 4]
  private static let grayMasks: [Int: UInt32] = [
    KV_ELEMENT_F16: 0x3c00, KV_ELEMENT_BF16: 0x3f80, KV_ELEMENT_F32: 0x3f80_0000, KV_ELEMENT_I8: 0x7f,
    KV_ELEMENT_NIBBLES: 0x77,
  ]

  var width: Int { Self.widths[element] ?? 1 }
  var columns: Int { rowByteCount / width }
  var planeByteCount: Int { rowCount / 8 * columns + rowCount % 8 * (columns / 8) }

  /// The planes, the most significant first, and the rest.
  func split(_ rows: [UInt8]) -> (planes: [[UInt8]], rest: [UInt8]) {
    func element(_ row: Int, _ column: Int) -> UInt32 {
      (0..<width).reduce(0) { $0 | UInt32(rows[row * rowByteCount + column * width + $1]) << UInt32(8 * $1) }
    }
    func filtered(_ row: Int, _ column: Int) -> UInt32 {
      let difference = element(row, column) ^ (row > 0 ? element(row - 1, column) : 0)
      return difference ^ (difference >> 1 & (Self.grayMasks[self.element] ?? 0))
    }
    var planes: [[UInt8]] = []
    for bit in (0..<8 * width).reversed() {
      func byte(_ values: [UInt32]) -> UInt8 {
        values.enumerated().reduce(0) { $0 | UInt8($1.element >> UInt32(bit) & 1) << UInt8($1.offset) }
      }
      var plane: [UInt8] = []
      for group in 0..<rowCount / 8 {
        for column in 0..<columns { plane.append(byte((0..<8).map { filtered(8 * group + $0, column) })) }
      }
      let strip = columns / 8
      for row in rowCount / 8 * 8..<rowCount {
        for column in 0..<strip { plane.append(byte((0..<8).map { filtered(row, $0 * strip + column) })) }
      }
      planes.append(plane)
    }
    var rest: [UInt8] = []
    for row in rowCount / 8 * 8..<rowCount {
      rest += rows[row * rowByteCount + columns / 8 * 8 * width..<(row + 1) * rowByteCount]
    }
    return (planes, rest)
  }
}
