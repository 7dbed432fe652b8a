import KVBlocks

/// A plane's rows on their way to other programs.
package struct PlaneRows {
  package enum Format: String, Hashable, Sendable, CaseIterable {
    /// NumPy's file format, version 1.
    case npy
    /// The bytes as they are.
    case raw
    /// One row a line, numbers with blanks between them.
    case text
  }

  private static let bufferByteCount = 1 << 16

  private let layout: PlaneLayout
  private let tokenCount: Int
  private let bytes: UnsafeRawBufferPointer

  /// - Parameter bytes: `tokenCount` rows of the layout, which must stay as long as this value.
  package init(layout: PlaneLayout, tokenCount: Int, bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == layout.rowByteCount * tokenCount, "rows of the layout")
    (self.layout, self.tokenCount, self.bytes) = (layout, tokenCount, bytes)
  }

  package var valueCount: Int {
    layout.rowByteCount / layout.elementType.unitByteCount * layout.elementType.unitValueCount
  }

  /// What NumPy calls the values as they are written.
  private var arrayType: (descriptor: String, name: String) {
    switch layout.elementType {
    case .raw: ("|u1", "uint8")
    case .i8: ("|i1", "int8")
    case .f16: ("<f2", "float16")
    case .f32, .bf16, .q8_0, .q4_0: ("<f4", "float32")
    }
  }

  /// Whether the values are written as the store has them.
  private var isNative: Bool { [.raw, .i8, .f16, .f32].contains(layout.elementType) }

  /// Hands the plane to `write`, piece by piece.
  package func write(
    as format: Format, _ write: (UnsafeRawBufferPointer) throws(StoreError) -> Void
  ) throws(StoreError) {
    switch format {
    case .raw: try write(bytes)
    case .npy:
      try Self.hand(Self.header(descriptor: arrayType.descriptor, rows: tokenCount, columns: valueCount), to: write)
      if isNative { return try write(bytes) }
      try writeFloats(write)
    case .text: try writeText(write)
    }
  }

  private static func hand(
    _ bytes: [UInt8], to write: (UnsafeRawBufferPointer) throws(StoreError) -> Void
  ) throws(StoreError) {
    let span = bytes.span
    try span.bytes.withUnsafeBytes { (raw) throws(StoreError) in try write(raw) }
  }

  /// Magic, version 1.0, the length of what follows, a Python dictionary padded with blanks to 64 bytes in all.
  static func header(descriptor: String, rows: Int, columns: Int) -> [UInt8] {
    let fields = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
    let length = (10 + fields.utf8.count + 1 + 63) / 64 * 64 - 10
    var header: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)]
    header += Array(fields.utf8) + [UInt8](repeating: UInt8(ascii: " "), count: length - fields.utf8.count - 1)
    return header + [UInt8(ascii: "\n")]
  }

  private func writeFloats(_ write: (UnsafeRawBufferPointer) throws(StoreError) -> Void) throws(StoreError) {
    for row in 0..<tokenCount {
      var numbers: [UInt8] = []
      numbers.reserveCapacity(4 * valueCount)
      ElementValues.forEach(layout.elementType, self.row(row)) { values in
        for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { numbers += $0 } }
      }
      try Self.hand(numbers, to: write)
    }
  }

  private func writeText(_ write: (UnsafeRawBufferPointer) throws(StoreError) -> Void) throws(StoreError) {
    var text = Array("# \(layout.plane), \(description(of: .text))\n".utf8)
    for row in 0..<tokenCount {
      var separator: [UInt8] = []
      ElementValues.forEach(layout.elementType, self.row(row)) { values in
        for value in values {
          text += separator
          text += Array(number(value).utf8)
          separator = [UInt8(ascii: " ")]
        }
      }
      text.append(UInt8(ascii: "\n"))
      if text.count > Self.bufferByteCount || row == tokenCount - 1 {
        try Self.hand(text, to: write)
        text = []
      }
    }
  }

  /// The fewest digits that give the very value again.
  private func number(_ value: Float) -> String {
    switch layout.elementType {
    case .raw, .i8: String(Int(value))
    default: value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
    }
  }

  private func row(_ row: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[row * layout.rowByteCount..<(row + 1) * layout.rowByteCount])
  }

  /// "16 tokens x 64 values, float32 (bf16 widened)".
  package func description(of format: Format) -> String {
    let type = layout.elementType
    if format == .raw { return "\(tokenCount) rows of \(layout.rowByteCount) bytes, \(type.name) as it is" }
    let shape = "\(tokenCount) tokens x \(valueCount) values"
    guard format == .npy else { return "\(shape), \(type.name)" }
    let change =
      switch type {
      case .bf16: " (bf16 widened, exactly)"
      case .q8_0, .q4_0: " (\(type.name) multiplied with its scales)"
      case .raw: " (bytes that nobody explained)"
      default: ""
      }
    return "\(shape), \(arrayType.name)\(change)"
  }

  package func json(of format: Format) -> [String: JSONValue] {
    [
      "plane": ["kind": .string("\(layout.plane.kind)"), "layer": .integer(layout.plane.layer)],
      "elementType": .string(layout.elementType.name), "format": .string(format.rawValue),
      "writtenType": .string(format == .npy ? arrayType.name : layout.elementType.name), "tokens": .integer(tokenCount),
      "values": .integer(valueCount),
    ]
  }
}
