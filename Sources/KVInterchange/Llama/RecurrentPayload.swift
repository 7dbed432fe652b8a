import KVBlocks

enum BlockLimit {
  static let rowByteCount = BlockLayout.rowByteCountLimit
}

/// A recurrent memory in a state. It is checked and passed over: it cannot be cut at a token, so it travels in the
/// checkpoint.
enum RecurrentPayload {
  /// A recurrent row is a layer's whole state.
  private static let rowByteCountLimit = 1 << 32

  /// Passes over a recurrent memory that ends the source.
  ///
  /// Layers without a recurrent state are left out of the list, and the list does not say which: in the usual order R
  /// and S entries look alike, so that entries are read until the source ends.
  static func skip(_ reader: ByteReader) throws(FormatError) {
    let cellCount = try reader.count("the number of recurrent cells", limit: StateLimit.cellCount, minimumByteCount: 8)
    for cell in 0..<cellCount {
      let start = reader.offset
      let position = try reader.i32("the position of recurrent cell \(cell)")
      guard position >= -1 else {
        throw FormatError("recurrent cell \(cell) has the position \(position)", offset: start)
      }
      let idCount = try reader.count(
        "the number of sequences of recurrent cell \(cell)", limit: StateLimit.sequenceCount, minimumByteCount: 4)
      try reader.skip(idCount, of: 4, "the sequence ids of recurrent cell \(cell)")
    }
    let orderOffset = reader.offset
    let order = try reader.u32("the order of the recurrent state")
    guard order <= 1 else {
      throw FormatError("the order of the recurrent state (s_trans) is \(order)", offset: orderOffset)
    }
    let layerCount = try reader.count(
      "the number of recurrent layers", limit: StateLimit.layerCount, minimumByteCount: 0)
    var entryCount = 0
    while !reader.isAtEnd {
      guard entryCount < 2 * layerCount else {
        throw FormatError(
          "\(reader.remainingByteCount) bytes are left after the recurrent state", offset: reader.offset)
      }
      let isTransposed = order == 1 && entryCount >= layerCount
      if isTransposed {
        try skipTransposed(reader, cellCount: cellCount, name: "S entry \(entryCount - layerCount)")
      } else {
        _ = try StreamData.rows(
          reader, cellCount: cellCount, name: "recurrent entries \(entryCount)", limit: rowByteCountLimit)
      }
      entryCount += 1
    }
    guard entryCount > 0, entryCount % 2 == 0 else {
      throw FormatError("the recurrent state has \(entryCount) entries, not as many R as S", offset: reader.offset)
    }
  }

  private static func skipTransposed(_ reader: ByteReader, cellCount: Int, name: String) throws(FormatError) {
    _ = try StreamData.type(reader, name: name)
    let elementByteCount = Int(try reader.u32("the element size of \(name)"))
    let channelCount = Int(try reader.u32("the number of channels of \(name)"))
    guard elementByteCount <= 64 else {
      throw FormatError("elements of \(elementByteCount) bytes", offset: reader.offset - 8)
    }
    try reader.skip(channelCount * elementByteCount, of: cellCount, "the channels of \(name)")
  }
}
