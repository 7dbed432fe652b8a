import KVBlocks

/// Walks the metadata at the head of a GGUF file (versions 2 and 3, little-endian), where a model keeps its tokenizer.
///
/// Layout: "GGUF", u32 version, u64 tensors, u64 pairs; each pair a key (u64 length, UTF-8), a u32 type, and a value.
/// An array is a u32 type, a u64 count and its elements. Tensors follow, which nobody reads here.
struct GGUFMetadata {
  /// The types of values, by their numbers.
  enum ValueType: UInt32 {
    case u8 = 0
    case i8, u16, i16, u32, i32, f32, bool, string, array, u64, i64, f64

    /// Bytes of one; a string's and an array's own length for those that have none.
    var leastByteCount: Int {
      switch self {
      case .u8, .i8, .bool: 1
      case .u16, .i16: 2
      case .u32, .i32, .f32: 4
      case .u64, .i64, .f64, .string: 8
      case .array: 12
      }
    }
  }

  static let keyByteCountLimit = 1 << 16
  private static let nestingLimit = 4

  let reader: ByteReader
  private let pairCount: Int

  /// Reads the head.
  init(_ source: ByteSource) throws(FormatError) {
    reader = ByteReader(source)
    guard source.byteCount >= 24, try reader.bytes(4, "the magic") == Array("GGUF".utf8) else {
      throw FormatError("this is no GGUF file: it does not begin with \"GGUF\"", offset: 0)
    }
    let version = try reader.u32("the version")
    guard version != 0x0200_0000, version != 0x0300_0000 else {
      throw FormatError("a GGUF file of the other byte order: convert it on the machine that wrote it", offset: 4)
    }
    guard (2...3).contains(version) else {
      throw FormatError("GGUF version \(version); versions 2 and 3 are read", offset: 4)
    }
    _ = try reader.u64("the number of tensors")
    pairCount = try Self.count(reader, "the number of metadata pairs", of: 8 + 4 + 1)
  }

  /// Hands each pair's key and type to `visit`, with the reader at the value. Where it answers false the value is
  /// passed over; otherwise it has read it.
  func forEach(
    _ visit: (_ key: String, _ type: ValueType) throws(FormatError) -> Bool
  ) throws(FormatError) {
    for index in 0..<pairCount {
      let keyOffset = reader.offset
      let raw = try text("the key of pair \(index)", limit: Self.keyByteCountLimit)
      guard let key = String(validating: raw, as: UTF8.self) else {
        throw FormatError("the key of pair \(index) is not UTF-8", offset: keyOffset)
      }
      let type = try valueType("the type of \"\(key)\"")
      if try !visit(key, type) { try skip(type, key, nesting: Self.nestingLimit) }
    }
  }

  /// A string's bytes.
  func text(_ field: @autoclosure () -> String, limit: Int) throws(FormatError) -> [UInt8] {
    let start = reader.offset
    let count = try reader.u64(field())
    guard count <= UInt64(limit), Int(count) <= reader.remainingByteCount else {
      throw FormatError(
        "\(field()) has \(count) bytes; \(limit) at most, and \(reader.remainingByteCount) are left", offset: start)
    }
    return try reader.bytes(Int(count), field())
  }

  /// The type and the count of an array's elements.
  func arrayHead(_ key: String) throws(FormatError) -> (type: ValueType, count: Int) {
    let type = try valueType("the element type of \"\(key)\"")
    return (type, try Self.count(reader, "the length of \"\(key)\"", of: type.leastByteCount))
  }

  private func valueType(_ field: @autoclosure () -> String) throws(FormatError) -> ValueType {
    let start = reader.offset
    let number = try reader.u32(field())
    guard let type = ValueType(rawValue: number) else {
      throw FormatError("\(field()) is \(number), which no version of GGUF has", offset: start)
    }
    return type
  }

  /// A count of things of at least `byteCount` bytes each, held against what is left of the file.
  private static func count(_ reader: ByteReader, _ field: String, of byteCount: Int) throws(FormatError) -> Int {
    let start = reader.offset
    let count = try reader.u64(field)
    guard count <= UInt64(reader.remainingByteCount / byteCount) else {
      throw FormatError(
        "\(field) is \(count), more than the \(reader.remainingByteCount) bytes that are left can hold", offset: start)
    }
    return Int(count)
  }

  private func skip(_ type: ValueType, _ key: String, nesting: Int) throws(FormatError) {
    switch type {
    case .string:
      let start = reader.offset
      let count = try reader.u64("\"\(key)\"")
      guard count <= UInt64(reader.remainingByteCount) else {
        throw FormatError("\"\(key)\" has a text of \(count) bytes, more than are left", offset: start)
      }
      try reader.skip(Int(count), of: 1, "\"\(key)\"")
    case .array:
      guard nesting > 0 else { throw FormatError("\"\(key)\" has arrays in arrays too deep", offset: reader.offset) }
      let (type, count) = try arrayHead(key)
      guard type == .string || type == .array else {
        return try reader.skip(count, of: type.leastByteCount, "\"\(key)\"")
      }
      for _ in 0..<count { try skip(type, key, nesting: nesting - 1) }
    default: try reader.skip(1, of: type.leastByteCount, "\"\(key)\"")
    }
  }
}
