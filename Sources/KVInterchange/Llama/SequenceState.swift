import KVBlocks

/// A llama.cpp sequence state, opened for import: a sequence file, a session file or a memory blob of versions 2 to 4.
///
/// Opening reads tokens and cells and checks every length; rows stay in the source until they are copied.
public struct SequenceState: ImportedState {
  public let tokens: [Token]
  public let tokensAreKnown: Bool
  public let planes: [PlaneLayout]
  public let rowCount: Int
  public let checkpointByteCount: Int
  /// How the file looked around the rows.
  public let sequenceOrigin: SequenceOrigin

  private let source: ByteSource
  private let places: [PlanePlace]
  private let transposed: TransposedRows
  private let checkpointRanges: [Range<Int>]

  /// Opens a state.
  /// - Parameters:
  ///   - source: the file, or bytes in memory.
  ///   - tokens: the cells' tokens, for a blob, which carries none; ignored where the file has a token field.
  ///   - workingByteCount: bytes held at most for turning transposed values into rows.
  /// - Throws: ``FormatError``, naming the offset of the field at fault.
  public static func read(
    _ source: ByteSource, tokens: [Token]? = nil, workingByteCount: Int = 64 << 20
  ) throws(FormatError) -> SequenceState {
    try SequenceState(
      try StateParser.parse(source), source: source, givenTokens: tokens, workingByteCount: workingByteCount)
  }

  private init(_ parsed: ParsedState, source: ByteSource, givenTokens: [Token]?, workingByteCount: Int)
    throws(FormatError)
  {
    self.source = source
    let attention = parsed.attention ?? AttentionPayload()
    let data = attention.data
    rowCount = attention.cells.count
    places = data.keys + data.values
    planes = places.isEmpty ? [SequenceOrigin.nominalPlane] : Self.layouts(data)
    transposed = TransposedRows(
      source: source, cellCount: rowCount,
      rowByteCountOfAllPlanes: places.reduce(0) { $0 + ($1.channelByteCount > 0 ? $1.rowByteCount : 0) },
      workingByteCount: workingByteCount)

    let reading: TokenField.Reading
    if let words = parsed.tokenWords {
      reading = TokenField.read(words: words, cellCount: rowCount)
    } else if let givenTokens, givenTokens.count >= rowCount {
      reading = TokenField.Reading(field: .absent, tokens: Array(givenTokens.prefix(rowCount)), areKnown: true)
    } else {
      reading = TokenField.Reading(
        field: .absent, tokens: Array(repeating: TokenField.placeholder, count: rowCount), areKnown: false)
    }
    self.tokens = reading.tokens
    tokensAreKnown = reading.areKnown && attention.cells.isRegular && TokenField.areAllTold(reading.tokens)

    checkpointRanges = [parsed.outputs, parsed.rest].filter { !$0.isEmpty }
    checkpointByteCount = parsed.outputs.count + parsed.rest.count
    var origin = SequenceOrigin(container: parsed.container, version: parsed.version)
    origin.blobSequenceID = parsed.blobSequenceID
    origin.architecture = parsed.architecture
    origin.isTransposed = data.isTransposed
    origin.rotation = data.rotation
    origin.hasAttention = parsed.attention != nil
    origin.streamCount = max(1, attention.streamCount)
    origin.streamIndex = attention.streamIndex ?? 0
    origin.cells = attention.cells
    origin.cells.relateExtensionTokens(to: reading.tokens)
    origin.tokenField = reading.field
    origin.tokensAreKnown = tokensAreKnown
    origin.tokenDigest = SequenceOrigin.digest(reading.tokens)
    origin.keyTypes = RunColumn(data.keys.map { Int64($0.type.number) })
    origin.valueTypes = RunColumn(data.values.map { Int64($0.type.number) })
    origin.outputsByteCount = parsed.outputs.count
    origin.restByteCount = parsed.rest.count
    sequenceOrigin = origin
  }

  private static func layouts(_ data: StreamData) -> [PlaneLayout] {
    func layout(_ kind: Plane.Kind, _ places: [PlanePlace]) -> [PlaneLayout] {
      places.enumerated().map { layer, place in
        PlaneLayout(Plane(kind, layer: layer), elementType: place.type.elementType, rowByteCount: place.rowByteCount)
      }
    }
    return layout(.keys, data.keys) + layout(.values, data.values)
  }

  /// Options with which another session or prefix is written for the context that this state came from.
  public var exportOptions: SequenceExportOptions { sequenceOrigin.exportOptions }

  public var formatName: String { sequenceOrigin.formatName }
  public var origin: [UInt8] { sequenceOrigin.encoded() }
  public var canBeCut: Bool { sequenceOrigin.canBeCut }
  public var fingerprintSettings: [String: String] { sequenceOrigin.fingerprintSettings }

  public func copyRows(
    plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(FormatError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows outside the state")
    precondition(
      destination.count == rows.count * planes[plane].rowByteCount, "the destination has another size than the rows")
    if rows.isEmpty { return }
    let place = places[plane]
    if place.channelByteCount > 0 {
      try transposed.copy(plane: plane, place: place, rows: rows, into: destination)
    } else {
      try source.read(at: place.offset + rows.lowerBound * place.rowByteCount, into: destination)
    }
  }

  public func readCheckpoint() throws(FormatError) -> [UInt8] {
    var bytes: [UInt8] = []
    for range in checkpointRanges { bytes += try source.bytes(at: range.lowerBound, count: range.count) }
    return bytes
  }
}
