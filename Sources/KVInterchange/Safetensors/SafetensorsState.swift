import KVBlocks

/// A safetensors file in kvpager's layout, opened for import.
public struct SafetensorsState: ImportedState {
  public let tokens: [Token]
  public let tokensAreKnown: Bool
  public let planes: [PlaneLayout]
  public let rowCount: Int
  public let origin: [UInt8]

  private let source: ByteSource
  /// Where each plane's rows begin in the source.
  private let offsets: [Int]

  /// Opens a file and checks its header and its layout.
  /// - Parameters:
  ///   - source: the file, or bytes in memory.
  ///   - tokens: one a row, for a file without `token_ids`.
  public static func read(_ source: ByteSource, tokens: [Token]? = nil) throws(FormatError) -> SafetensorsState {
    try SafetensorsState(source, givenTokens: tokens)
  }

  private init(_ source: ByteSource, givenTokens: [Token]?) throws(FormatError) {
    self.source = source
    let header = try SafetensorsHeader(reading: source)
    let layout = try SafetensorsLayout(header)
    planes = layout.planes
    rowCount = layout.rowCount
    var offsets = [Int](repeating: 0, count: layout.planes.count)
    var tokens: [Token]?
    for (tensor, content) in zip(header.tensors, layout.contents) {
      switch content {
      case .plane(let index): offsets[index] = header.byteCount + tensor.begin
      case .tokens:
        let reader = ByteReader(source)
        reader.seek(to: header.byteCount + tensor.begin)
        tokens = try reader.words(layout.rowCount, "the tokens")
      }
    }
    self.offsets = offsets
    if tokens == nil, let givenTokens, givenTokens.count >= layout.rowCount {
      tokens = Array(givenTokens.prefix(layout.rowCount))
    }
    let tokensAreKnown = tokens.map(TokenField.areAllTold) ?? false
    self.tokensAreKnown = tokensAreKnown
    self.tokens = tokens ?? Array(repeating: TokenField.placeholder, count: layout.rowCount)
    origin = SafetensorsOrigin(
      headerText: header.text, rowCount: layout.rowCount, tokensAreKnown: tokensAreKnown,
      tokenDigest: SequenceOrigin.digest(self.tokens)
    ).encoded()
  }

  public var formatName: String { "safetensors" }
  public var checkpointByteCount: Int { 0 }
  public var canBeCut: Bool { true }
  public var fingerprintSettings: [String: String] { ["safetensors": "1"] }

  public func copyRows(
    plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(FormatError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows outside the file")
    let row = planes[plane].rowByteCount
    precondition(destination.count == rows.count * row, "the destination has another size than the rows")
    try source.read(at: offsets[plane] + rows.lowerBound * row, into: destination)
  }

  public func readCheckpoint() throws(FormatError) -> [UInt8] { [] }
}

/// What a session keeps of a safetensors file: its header, word for word.
struct SafetensorsOrigin: Hashable, Sendable {
  var headerText: [UInt8]
  var rowCount: Int
  var tokensAreKnown: Bool
  var tokenDigest: UInt64

  init(headerText: [UInt8], rowCount: Int, tokensAreKnown: Bool, tokenDigest: UInt64) {
    self.headerText = headerText
    self.rowCount = rowCount
    self.tokensAreKnown = tokensAreKnown
    self.tokenDigest = tokenDigest
  }

  func encoded() -> [UInt8] {
    var encoder = OriginEncoder(.safetensors)
    encoder.data(headerText)
    encoder.unsigned(rowCount)
    encoder.flag(tokensAreKnown)
    withUnsafeBytes(of: tokenDigest.littleEndian) { encoder.data(Array($0)) }
    return encoder.finish()
  }

  init(encoded: [UInt8]) throws(StoreError) {
    var decoder = try OriginDecoder(encoded, kind: .safetensors)
    headerText = try decoder.data()
    rowCount = try decoder.unsigned(limit: StateLimit.cellCount)
    tokensAreKnown = try decoder.flag()
    let digest = try decoder.data()
    guard digest.count == 8 else { throw decoder.damage }
    tokenDigest = digest.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    try decoder.finish()
  }

  /// The header and its layout. They were checked when the file was imported.
  func header() throws(StoreError) -> (SafetensorsHeader, SafetensorsLayout) {
    do throws(FormatError) {
      let probe = try SafetensorsHeader(text: headerText, dataByteCount: nil)
      return (probe, try SafetensorsLayout(probe))
    } catch {
      throw StoreError(.damaged, "the header in the session's origin cannot be read", cause: error.description)
    }
  }
}
