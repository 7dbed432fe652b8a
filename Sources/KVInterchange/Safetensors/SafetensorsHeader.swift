import KVBlocks

/// One tensor of a safetensors file: its type, its shape and its bytes, counted from the end of the header.
struct TensorEntry: Hashable, Sendable {
  var name: String
  var dtype: String
  var shape: [Int]
  var begin = 0
  var end = 0

  /// Bytes of one element; nil for a type that is not known.
  var elementByteCount: Int? {
    switch dtype {
    case "F64", "I64", "U64": 8
    case "F32", "I32", "U32": 4
    case "F16", "BF16", "I16", "U16": 2
    case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2": 1
    default: nil
    }
  }

  /// Elements times element size; nil where that overflows.
  var byteCount: Int? {
    guard var total = elementByteCount else { return nil }
    for extent in shape {
      let (product, overflow) = total.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      total = product
    }
    return total
  }
}

/// A safetensors header: metadata and tensors in the order of their bytes, checked against the file's size.
struct SafetensorsHeader: Hashable, Sendable {
  static let byteCountLimit = 100_000_000
  private static let rankLimit = 16

  /// In the order of the header.
  var metadata: [(name: String, value: String)] = []
  /// In the order of their bytes.
  var tensors: [TensorEntry] = []
  /// The header's bytes, padding included, without the length before them.
  var text: [UInt8] = []

  /// Bytes before the first tensor's.
  var byteCount: Int { 8 + text.count }

  static func == (a: SafetensorsHeader, b: SafetensorsHeader) -> Bool { a.text == b.text }
  func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// Reads and checks the header of a file: one object, no tensor twice, no hole, no overlap, nothing beyond the end.
  init(reading source: ByteSource) throws(FormatError) {
    let reader = ByteReader(source)
    let length = try reader.u64("the header's length")
    guard length >= 2, length <= UInt64(Self.byteCountLimit), Int(length) <= reader.remainingByteCount else {
      throw FormatError(
        "a header of \(length) bytes; it must be 2 to \(Self.byteCountLimit) and lie within the file's "
          + "\(source.byteCount)",
        offset: 0)
    }
    try self.init(
      text: try reader.bytes(Int(length), "the header"), dataByteCount: source.byteCount - 8 - Int(length))
  }

  /// `dataByteCount`: bytes after the header; nil where there is no file to compare with.
  init(text: [UInt8], dataByteCount: Int?) throws(FormatError) {
    self.text = text
    guard text.first == UInt8(ascii: "{") else { throw FormatError("the header must begin with \"{\"", offset: 8) }
    do throws(JSONError) {
      (metadata, tensors) = try Self.read(text)
    } catch {
      throw FormatError("header: \(error.message)", offset: 8 + error.position)
    }
    let end = tensors.last?.end ?? 0
    if let dataByteCount, end != dataByteCount {
      throw FormatError(
        "the tensors take \(end) bytes and the file has \(dataByteCount) after its header",
        offset: 8 + text.count + min(end, dataByteCount))
    }
  }

  private static func read(
    _ text: [UInt8]
  ) throws(JSONError) -> (metadata: [(name: String, value: String)], tensors: [TensorEntry]) {
    var reader = JSONReader(text)
    var seen: Set<String> = []
    var metadata: [(name: String, value: String)] = []
    var tensors: [(entry: TensorEntry, position: Int)] = []
    try reader.object { (reader, name, start) throws(JSONError) in
      guard seen.insert(name).inserted else { throw reader.error("\"\(name)\" stands twice", at: start) }
      if name == "__metadata__" {
        metadata = try Self.metadata(&reader)
      } else {
        tensors.append((try Self.tensor(&reader, name: name, start: start), start))
      }
    }
    try reader.finish()
    tensors.sort { ($0.entry.begin, $0.entry.end) < ($1.entry.begin, $1.entry.end) }
    var end = 0
    for (entry, position) in tensors {
      guard entry.begin == end else {
        throw reader.error(
          "\"\(entry.name)\" begins at \(entry.begin), where \(end) is due: tensors must lie without holes "
            + "and overlaps",
          at: position)
      }
      end = entry.end
    }
    return (metadata, tensors.map(\.entry))
  }

  private static func metadata(_ reader: inout JSONReader) throws(JSONError) -> [(name: String, value: String)] {
    var seen: Set<String> = []
    var metadata: [(name: String, value: String)] = []
    try reader.object { (reader, name, start) throws(JSONError) in
      guard seen.insert(name).inserted else {
        throw reader.error("\"\(name)\" stands twice in the metadata", at: start)
      }
      metadata.append((name, try reader.string()))
    }
    return metadata
  }

  private static func tensor(
    _ reader: inout JSONReader, name: String, start: Int
  ) throws(JSONError) -> TensorEntry {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    try reader.object { (reader, field, fieldStart) throws(JSONError) in
      switch field {
      case "dtype" where dtype == nil: dtype = try reader.string()
      case "shape" where shape == nil: shape = try reader.wholeNumbers(limit: rankLimit)
      case "data_offsets" where offsets == nil: offsets = try reader.wholeNumbers(limit: 2)
      default: throw reader.error("\"\(name)\" has the unknown or double field \"\(field)\"", at: fieldStart)
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else {
      throw reader.error("\"\(name)\" needs dtype, shape and two data_offsets", at: start)
    }
    let entry = TensorEntry(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
    guard entry.elementByteCount != nil else {
      throw reader.error("\"\(name)\" has the unknown dtype \"\(dtype)\"", at: start)
    }
    guard entry.begin <= entry.end, entry.byteCount == entry.end - entry.begin else {
      throw reader.error(
        "\"\(name)\" is \(dtype) \(shape) and lies at \(offsets[0])..<\(offsets[1]), which is another size", at: start)
    }
    return entry
  }

  /// Makes a header: tensors get their places in the order given, and the data begins at a multiple of 8.
  init(metadata: [(name: String, value: String)], tensors: [TensorEntry]) {
    self.metadata = metadata
    var text = Array("{".utf8)
    if !metadata.isEmpty {
      text += Array("\"__metadata__\":{".utf8)
      for (index, member) in metadata.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        text += JSONReader.quoted(member.name) + [UInt8(ascii: ":")] + JSONReader.quoted(member.value)
      }
      text.append(UInt8(ascii: "}"))
    }
    var offset = 0
    for var tensor in tensors {
      tensor.begin = offset
      offset += tensor.byteCount ?? 0
      tensor.end = offset
      if text.count > 1 { text.append(UInt8(ascii: ",")) }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      text += JSONReader.quoted(tensor.name)
      text += Array(
        ":{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(tensor.begin),\(tensor.end)]}".utf8)
      self.tensors.append(tensor)
    }
    text.append(UInt8(ascii: "}"))
    text += Array(repeating: 0x20, count: (8 - text.count % 8) % 8)
    self.text = text
  }
}
