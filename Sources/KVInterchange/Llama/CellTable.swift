import KVBlocks

/// A stream's cells as META lists them, by column: positions, the sequences of each cell, and the extension where
/// there is one.
struct CellTable: Hashable, Sendable {
  var count = 0
  var positions = RunColumn()
  /// The distinct lists of sequence ids, and which one each cell has.
  var sequenceLists: [[Int32]] = []
  var sequenceIndexes = RunColumn()
  /// 0, or 8 (x, y; version 2), or 12 (x, y, token; from version 3 on).
  var extensionByteCount = 0
  var extensionX = RunColumn()
  var extensionY = RunColumn()
  /// The extension's token less the cell's token: zeros, as a rule.
  var extensionTokenExcess = RunColumn()

  /// Cells yet to come, all of sequence `sequenceID`, at positions from 0 on.
  static func plain(sequenceID: Int32) -> CellTable {
    var table = CellTable()
    table.positions = RunColumn(continuingFrom: 0, step: 1)
    table.sequenceLists = [[sequenceID]]
    table.sequenceIndexes = RunColumn(continuingFrom: 0, step: 0)
    return table
  }

  /// Reads `count` cells. The token excess is left absolute; see ``relateExtensionTokens(to:)``.
  init(reading reader: ByteReader, count: Int, extensionByteCount: Int) throws(FormatError) {
    var indexes: [[Int32]: Int] = [:]
    self.extensionByteCount = extensionByteCount
    var ids: [Int32] = []
    for cell in 0..<count {
      let start = reader.offset
      let position = try reader.i32("the position of cell \(cell)")
      guard position >= 0 else { throw FormatError("cell \(cell) has the position \(position)", offset: start) }
      positions.append(Int64(position))
      let idCount = try reader.count(
        "the number of sequences of cell \(cell)", limit: StateLimit.sequenceCount, minimumByteCount: 4)
      if extensionByteCount > 0 {
        extensionX.append(Int64(try reader.i32("the x of cell \(cell)")))
        extensionY.append(Int64(try reader.i32("the y of cell \(cell)")))
      }
      if extensionByteCount == 12 { extensionTokenExcess.append(Int64(try reader.i32("the token of cell \(cell)"))) }
      ids.removeAll(keepingCapacity: true)
      for _ in 0..<idCount {
        let idOffset = reader.offset
        let id = try reader.i32("a sequence id of cell \(cell)")
        guard id >= 0, Int(id) < StateLimit.sequenceCount else {
          throw FormatError("cell \(cell) has the sequence id \(id)", offset: idOffset)
        }
        ids.append(id)
      }
      // The last list serves most cells, so that no dictionary is asked.
      if let last = sequenceLists.last, last == ids {
        sequenceIndexes.append(Int64(sequenceLists.count - 1))
      } else {
        let index = indexes[ids] ?? sequenceLists.count
        if index == sequenceLists.count {
          guard index < StateLimit.sequenceListCount else {
            throw FormatError("the cells have more than \(index) different lists of sequences", offset: start)
          }
          indexes[ids] = index
          sequenceLists.append(ids)
        }
        sequenceIndexes.append(Int64(index))
      }
    }
    self.count = count
  }

  private init() {}

  /// Makes the extension's tokens relative to the cells' own.
  mutating func relateExtensionTokens(to tokens: [Token]) {
    guard extensionByteCount == 12 else { return }
    var cursor = extensionTokenExcess.cursor()
    extensionTokenExcess = RunColumn(tokens.lazy.map { Int64($0) }.map { cursor.next() - $0 })
  }

  /// Whether the cells are tokens 0, 1, 2, ... of a sequence.
  var isRegular: Bool { positions.countsUpFromZero }

  func encode(to encoder: inout OriginEncoder) {
    encoder.unsigned(count)
    encoder.column(positions)
    encoder.unsigned(sequenceLists.count)
    for list in sequenceLists { encoder.tokens(list) }
    encoder.column(sequenceIndexes)
    encoder.unsigned(extensionByteCount)
    guard extensionByteCount > 0 else { return }
    encoder.column(extensionX)
    encoder.column(extensionY)
    encoder.column(extensionTokenExcess)
  }

  init(from decoder: inout OriginDecoder) throws(StoreError) {
    let limit = StateLimit.cellCount
    count = try decoder.unsigned(limit: limit)
    positions = try decoder.column(limit: limit)
    let listCount = try decoder.unsigned(limit: StateLimit.sequenceListCount)
    for _ in 0..<listCount { sequenceLists.append(try decoder.tokens(limit: StateLimit.sequenceCount)) }
    sequenceIndexes = try decoder.column(limit: limit)
    extensionByteCount = try decoder.unsigned(limit: 12)
    guard [0, 8, 12].contains(extensionByteCount), positions.count == count, sequenceIndexes.count == count else {
      throw decoder.damage
    }
    guard extensionByteCount > 0 else { return }
    extensionX = try decoder.column(limit: limit)
    extensionY = try decoder.column(limit: limit)
    extensionTokenExcess = try decoder.column(limit: limit)
  }
}
