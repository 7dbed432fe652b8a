/// How a state is to be written; what is nil stays as it was imported.
public struct SequenceExportOptions: Hashable, Sendable {
  /// Rows to write, from the first; nil for all.
  public var tokenCount: Int?
  public var container: StateContainer?
  /// The sequence version, 2 to 4: llama.cpp reads its own only.
  public var version: Int?
  /// Values channel-major, for a context without flash attention, or token-major.
  public var isTransposed: Bool?
  /// The reading context's number of streams (`n_seq_max`; 1 where its cache is unified) and the one to fill.
  public var streamCount: Int?
  public var streamIndex: Int?
  /// Every cell becomes this sequence's alone.
  public var sequenceID: Int32?
  /// Whether a blob begins with its 8-byte header.
  public var hasBlobHeader: Bool?
  /// Needed where quantised rows of a version that does not record the rotation are written as version 4.
  public var rotation: CacheRotation?
  /// The model's architecture, needed where a session file is made of something else.
  public var architecture: String?

  /// Bytes held at most for rows on their way, a row excepted.
  public var workingByteCount = 32 << 20

  public init(
    tokenCount: Int? = nil, container: StateContainer? = nil, version: Int? = nil, isTransposed: Bool? = nil,
    streamCount: Int? = nil, streamIndex: Int? = nil, sequenceID: Int32? = nil, hasBlobHeader: Bool? = nil,
    rotation: CacheRotation? = nil, architecture: String? = nil
  ) {
    self.tokenCount = tokenCount
    self.container = container
    self.version = version
    self.isTransposed = isTransposed
    self.streamCount = streamCount
    self.streamIndex = streamIndex
    self.sequenceID = sequenceID
    self.hasBlobHeader = hasBlobHeader
    self.rotation = rotation
    self.architecture = architecture
  }
}

extension SequenceOrigin {
  /// Options with which another session or prefix is written for the context that this state came from.
  public var exportOptions: SequenceExportOptions {
    SequenceExportOptions(
      container: container, version: version, isTransposed: isTransposed, streamCount: streamCount,
      streamIndex: streamIndex, sequenceID: cells.sequenceLists.first?.first,
      hasBlobHeader: container == .memoryBlob ? blobSequenceID != nil : nil, rotation: rotation,
      architecture: architecture.map { String(decoding: $0, as: UTF8.self) })
  }
}
