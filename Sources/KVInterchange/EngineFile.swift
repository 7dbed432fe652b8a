import KVBlocks

/// The formats that kvpager reads and writes, found by looking and chosen by name.
public enum EngineFile {
  /// What to write a session as.
  public enum Format: Hashable, Sendable {
    /// What it was imported from; a plain llama.cpp sequence file of version 4 for a session that came from no file.
    case asImported
    case sequenceState(SequenceExportOptions)
    case safetensors(headCount: Int?)
  }

  /// Opens a file of any known format.
  /// - Parameters:
  ///   - source: the file, or bytes in memory.
  ///   - tokens: one a row, for files that carry none.
  /// - Throws: ``FormatError`` with the offset of what is malformed.
  public static func read(_ source: ByteSource, tokens: [Token]? = nil) throws(FormatError) -> any ImportedState {
    guard let headerByteCount = safetensorsHeaderByteCount(source) else {
      return try readState(source, tokens: tokens)
    }
    do throws(FormatError) {
      return try SafetensorsState.read(source, tokens: tokens)
    } catch {
      // A blob whose first stream is empty and whose second has 123 cells begins like a very short header.
      guard headerByteCount <= StateLimit.streamCount, let state = try? SequenceState.read(source, tokens: tokens)
      else {
        throw error
      }
      return state
    }
  }

  /// A llama.cpp state. Old memory blobs begin with no magic number, so that any file might be one: then the refusal
  /// says first that nothing else was recognised.
  private static func readState(_ source: ByteSource, tokens: [Token]?) throws(FormatError) -> SequenceState {
    do throws(FormatError) {
      return try SequenceState.read(source, tokens: tokens)
    } catch {
      guard source.byteCount > 0, !beginsWithMagic(source) else { throw error }
      throw FormatError(
        "no llama.cpp state and no safetensors file is recognised; read as a memory blob, \(error.message)",
        offset: error.offset)
    }
  }

  private static func beginsWithMagic(_ source: ByteSource) -> Bool {
    guard let magic = try? ByteReader(source).u32("") else { return false }
    return [StateContainer.sequenceMagic, StateContainer.sessionMagic, StateContainer.blobMagic].contains(magic)
  }

  /// A safetensors file has "{" after its length; there a llama.cpp state has a count, a token or a position.
  private static func safetensorsHeaderByteCount(_ source: ByteSource) -> Int? {
    guard !beginsWithMagic(source) else { return nil }
    let reader = ByteReader(source)
    do throws(FormatError) {
      let length = try reader.u64("")
      let first = try reader.bytes(1, "")
      return length <= UInt64(SafetensorsHeader.byteCountLimit) && first == [UInt8(ascii: "{")] ? Int(length) : nil
    } catch {
      return nil
    }
  }

  /// A writer for a session.
  /// - Parameters:
  ///   - origin: the session's; empty for one that came from no file.
  ///   - tokens: all tokens of the session, one a row.
  ///   - planes: the session's, in the order that the writer's `gather` means.
  ///   - checkpoint: the session's; empty for none.
  ///   - tokenCount: rows to write, from the first; nil for all.
  ///   - format: what to write the session as.
  /// - Throws: `invalidArgument` with the reason, or `damaged` for an origin that fails its checksum.
  public static func writer(
    origin: [UInt8], tokens: [Token], planes: [PlaneLayout], checkpoint: [UInt8] = [], tokenCount: Int? = nil,
    format: Format = .asImported
  ) throws(StoreError) -> any StateExport {
    let isSafetensors = OriginCoding.kind(of: origin) == .safetensors
    switch format {
    case .safetensors(let headCount):
      return try SafetensorsWriter(
        origin: origin, tokens: tokens, planes: planes, tokenCount: tokenCount, headCount: headCount)
    case .asImported where isSafetensors:
      return try SafetensorsWriter(origin: origin, tokens: tokens, planes: planes, tokenCount: tokenCount)
    case .asImported:
      return try SequenceStateWriter(
        origin: try sequenceOrigin(origin), tokens: tokens, planes: planes, checkpoint: checkpoint,
        options: SequenceExportOptions(tokenCount: tokenCount))
    case .sequenceState(var options):
      options.tokenCount = tokenCount ?? options.tokenCount
      return try SequenceStateWriter(
        origin: try sequenceOrigin(origin), tokens: tokens, planes: planes, checkpoint: checkpoint, options: options)
    }
  }

  private static func sequenceOrigin(_ origin: [UInt8]) throws(StoreError) -> SequenceOrigin {
    if origin.isEmpty { return .plain() }
    guard OriginCoding.kind(of: origin) == .safetensors else { return try SequenceOrigin(encoded: origin) }
    var plain = SequenceOrigin.plain()
    plain.tokensAreKnown = try SafetensorsOrigin(encoded: origin).tokensAreKnown
    if !plain.tokensAreKnown { plain.tokenField = .absent }
    return plain
  }

  /// Whether a session's tokens say what its rows were computed from; placeholders stand there otherwise.
  public static func tokensAreKnown(origin: [UInt8]) throws(StoreError) -> Bool {
    if origin.isEmpty { return true }
    if OriginCoding.kind(of: origin) == .safetensors { return try SafetensorsOrigin(encoded: origin).tokensAreKnown }
    return try SequenceOrigin(encoded: origin).tokensAreKnown
  }
}
