/// Where the rows of one plane lie in a state.
struct PlanePlace: Hashable, Sendable {
  let type: GGMLType
  /// Of the first row, or of the first channel where the plane is transposed.
  let offset: Int
  let rowByteCount: Int
  /// Bytes of one channel's element where the plane is transposed, else 0.
  let channelByteCount: Int
}

/// The DATA of one stream: all keys, then all values, as places in the source.
struct StreamData: Hashable, Sendable {
  var isTransposed = false
  var rotation: CacheRotation?
  var keys: [PlanePlace] = []
  var values: [PlanePlace] = []
}

/// One `llama_kv_cache` in a state: the first stream with cells in full, the others checked and passed over.
struct AttentionPayload {
  var streamCount = 0
  /// The first stream that has cells; nil where none has.
  var streamIndex: Int?
  var cells = CellTable.plain(sequenceID: 0)
  var data = StreamData()
  /// Just after the first filled stream, or after the last stream where none is filled.
  var firstStreamEnd = 0
  var filledStreamCount = 0
}

/// What must be known to read a payload and does not stand in it.
struct PayloadGrammar: Hashable, Sendable {
  var version: Int
  var extensionByteCount: Int
  /// Models with latent attention keep no values.
  var hasValues: Bool
}

extension AttentionPayload {
  init(reading reader: ByteReader, grammar: PayloadGrammar) throws(FormatError) {
    streamCount = try reader.count("the number of streams", limit: StateLimit.streamCount, minimumByteCount: 4)
    guard streamCount > 0 else { throw FormatError("a cache of 0 streams", offset: reader.offset - 4) }
    for stream in 0..<streamCount {
      let count = try reader.count("the number of cells", limit: StateLimit.cellCount, minimumByteCount: 8)
      guard count > 0 else { continue }
      let cells = try CellTable(reading: reader, count: count, extensionByteCount: grammar.extensionByteCount)
      reader.milestone += 1
      let data = try StreamData(reading: reader, cellCount: count, grammar: grammar)
      filledStreamCount += 1
      if streamIndex == nil {
        streamIndex = stream
        self.cells = cells
        self.data = data
        firstStreamEnd = reader.offset
      }
    }
    if streamIndex == nil { firstStreamEnd = reader.offset }
  }
}

extension StreamData {
  init(reading reader: ByteReader, cellCount: Int, grammar: PayloadGrammar) throws(FormatError) {
    let start = reader.offset
    let order = try reader.u32("the order of the values")
    guard order <= 1 else {
      throw FormatError("the order of the values (v_trans) is \(order); it must be 0 or 1", offset: start)
    }
    isTransposed = order == 1
    let layerCount = try reader.count("the number of layers", limit: StateLimit.layerCount, minimumByteCount: 12)
    guard layerCount > 0 else { throw FormatError("a cache of 0 layers", offset: reader.offset - 4) }
    if grammar.version >= 4 {
      let keys = try Self.rotation(reader)
      let values = try Self.rotation(reader)
      rotation = CacheRotation(keys: keys, values: values)
    }
    reader.milestone += 1
    for layer in 0..<layerCount {
      keys.append(try Self.rows(reader, cellCount: cellCount, name: "layer \(layer)'s keys"))
    }
    guard grammar.hasValues else { return }
    for layer in 0..<layerCount {
      let name = "layer \(layer)'s values"
      values.append(
        isTransposed
          ? try Self.channels(reader, cellCount: cellCount, name: name)
          : try Self.rows(reader, cellCount: cellCount, name: name))
    }
  }

  private static func rotation(_ reader: ByteReader) throws(FormatError) -> Int {
    let start = reader.offset
    let size = Int(try reader.u32("the rotation's size"))
    guard size <= StateLimit.rotation else { throw FormatError("a rotation of size \(size)", offset: start) }
    return size
  }

  static func type(_ reader: ByteReader, name: String) throws(FormatError) -> GGMLType {
    let start = reader.offset
    let number = try reader.i32("the type of \(name)")
    guard let type = GGMLType(number: number) else {
      throw FormatError("\(name) have the unknown ggml type \(number)", offset: start)
    }
    return type
  }

  static func rows(
    _ reader: ByteReader, cellCount: Int, name: String, limit: Int = BlockLimit.rowByteCount
  ) throws(FormatError) -> PlanePlace {
    let type = try type(reader, name: name)
    let start = reader.offset
    let rowByteCount = try reader.u64("the row size of \(name)")
    guard rowByteCount > 0, rowByteCount <= UInt64(limit), Int(rowByteCount) % type.unitByteCount == 0 else {
      throw FormatError(
        "\(name) have rows of \(rowByteCount) bytes; \(type.name) needs a multiple of \(type.unitByteCount), "
          + "at most \(limit)",
        offset: start)
    }
    let offset = reader.offset
    try reader.skip(cellCount, of: Int(rowByteCount), "the rows of \(name)")
    return PlanePlace(type: type, offset: offset, rowByteCount: Int(rowByteCount), channelByteCount: 0)
  }

  private static func channels(_ reader: ByteReader, cellCount: Int, name: String) throws(FormatError) -> PlanePlace {
    let typeOffset = reader.offset
    let type = try type(reader, name: name)
    guard !type.isQuantized else {
      throw FormatError(
        "\(name) are transposed and \(type.name), which cannot be cut into channels", offset: typeOffset)
    }
    let sizeOffset = reader.offset
    let elementByteCount = try reader.u32("the element size of \(name)")
    guard elementByteCount == UInt32(type.unitByteCount) else {
      throw FormatError(
        "\(name) have elements of \(elementByteCount) bytes; \(type.name) has \(type.unitByteCount)", offset: sizeOffset
      )
    }
    let countOffset = reader.offset
    let channelCount = Int(try reader.u32("the number of channels of \(name)"))
    let rowByteCount = channelCount * type.unitByteCount
    guard (1...BlockLimit.rowByteCount).contains(rowByteCount) else {
      throw FormatError("\(name) have \(channelCount) channels", offset: countOffset)
    }
    let offset = reader.offset
    try reader.skip(cellCount, of: rowByteCount, "the channels of \(name)")
    return PlanePlace(type: type, offset: offset, rowByteCount: rowByteCount, channelByteCount: type.unitByteCount)
  }
}
