import KVBlocks

extension SequenceOrigin {
  /// The origin as a session record keeps it: compact, versioned, with a checksum.
  public func encoded() -> [UInt8] {
    var encoder = OriginEncoder(.sequenceState)
    encoder.unsigned(StateContainer.allCases.firstIndex(of: container) ?? 0)
    encoder.unsigned(version)
    encoder.flag(blobSequenceID != nil)
    if let blobSequenceID { encoder.signed(Int64(blobSequenceID)) }
    encoder.flag(architecture != nil)
    if let architecture { encoder.data(architecture) }
    encoder.flag(isTransposed)
    encoder.flag(rotation != nil)
    if let rotation {
      encoder.unsigned(rotation.keys)
      encoder.unsigned(rotation.values)
    }
    encoder.unsigned(streamCount)
    encoder.unsigned(streamIndex)
    encoder.flag(hasAttention)
    cells.encode(to: &encoder)
    tokenField.encode(to: &encoder)
    encoder.flag(tokensAreKnown)
    withUnsafeBytes(of: tokenDigest.littleEndian) { encoder.data(Array($0)) }
    encoder.column(keyTypes)
    encoder.column(valueTypes)
    encoder.unsigned(outputsByteCount)
    encoder.unsigned(restByteCount)
    return encoder.finish()
  }

  /// Reads what ``encoded()`` wrote.
  /// - Throws: `damaged`, `versionTooNew`, or `invalidArgument` for an origin of another format.
  public init(encoded: [UInt8]) throws(StoreError) {
    var decoder = try OriginDecoder(encoded, kind: .sequenceState)
    let container = StateContainer.allCases[try decoder.unsigned(limit: StateContainer.allCases.count - 1)]
    self.init(container: container, version: try decoder.unsigned(limit: 4))
    blobSequenceID = try decoder.flag() ? try decoder.i32() : nil
    architecture = try decoder.flag() ? try decoder.data() : nil
    isTransposed = try decoder.flag()
    if try decoder.flag() {
      let keys = try decoder.unsigned(limit: StateLimit.rotation)
      rotation = CacheRotation(keys: keys, values: try decoder.unsigned(limit: StateLimit.rotation))
    }
    streamCount = try decoder.unsigned(limit: StateLimit.streamCount)
    streamIndex = try decoder.unsigned(limit: StateLimit.streamCount)
    hasAttention = try decoder.flag()
    cells = try CellTable(from: &decoder)
    tokenField = try TokenField(from: &decoder)
    tokensAreKnown = try decoder.flag()
    let digest = try decoder.data()
    guard digest.count == 8, streamIndex < streamCount, version >= 2 else { throw decoder.damage }
    tokenDigest = digest.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    keyTypes = try decoder.column(limit: StateLimit.layerCount)
    valueTypes = try decoder.column(limit: StateLimit.layerCount)
    outputsByteCount = try decoder.unsigned()
    restByteCount = try decoder.unsigned()
    try decoder.finish()
  }
}
