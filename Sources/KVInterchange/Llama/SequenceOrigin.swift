import KVBlocks

/// Everything about a llama.cpp state but its rows, its tokens and its checkpoint: enough to write the very file again.
public struct SequenceOrigin: Hashable, Sendable {
  public var container: StateContainer
  /// The sequence version, 2 to 4. A session file's own number is greater by 7.
  public var version: Int
  /// The sequence id in a blob's header; nil writes a blob without the header.
  public var blobSequenceID: Int32?
  /// The model's architecture as session files name it, UTF-8.
  public var architecture: [UInt8]?
  /// Whether values lie channel-major in the file (`v_trans`), as they do without flash attention.
  public var isTransposed = false
  /// Nil where the version does not record it.
  public var rotation: CacheRotation?
  /// Streams of the context (`n_seq_max`, or 1 with a unified cache), and the one that has the cells.
  public var streamCount = 1
  public var streamIndex = 0

  var hasAttention = true
  var cells: CellTable
  var tokenField: TokenField
  var tokensAreKnown = true
  var tokenDigest: UInt64 = 0
  /// ggml types by layer; empty for a plain origin, whose types follow from the planes.
  var keyTypes = RunColumn()
  var valueTypes = RunColumn()
  var outputsByteCount = 0
  var restByteCount = 0

  /// What stands for the planes of a state that has none.
  static let nominalPlane = PlaneLayout(Plane(.keys, layer: 0), elementType: .raw, rowByteCount: 1)

  init(container: StateContainer, version: Int) {
    self.container = container
    self.version = version
    cells = .plain(sequenceID: 0)
    tokenField = .plain(trailing: [])
  }

  /// The origin of a session that came from no file: cells at positions from 0 on, of one sequence.
  ///
  /// - Parameters:
  ///   - container: the kind of file.
  ///   - version: 2 to 4, what the reading llama.cpp demands.
  ///   - sequenceID: 0 to 4095.
  ///   - streamCount: the reading context's `n_seq_max`, or 1 where its cache is unified; the cells go to stream
  ///     `streamIndex`.
  ///   - streamIndex: the stream of the cells, below `streamCount`.
  ///   - isTransposed: values channel by channel, as a context without flash attention keeps them.
  ///   - rotation: needed for quantised planes in version 4; nil means none.
  ///   - architecture: needed for session files.
  public static func plain(
    container: StateContainer = .sequenceFile, version: Int = 4, sequenceID: Int32 = 0, streamCount: Int = 1,
    streamIndex: Int = 0, isTransposed: Bool = false, rotation: CacheRotation? = nil, architecture: String? = nil
  ) -> SequenceOrigin {
    var origin = SequenceOrigin(container: container, version: version)
    origin.cells = .plain(sequenceID: sequenceID)
    origin.blobSequenceID = container == .memoryBlob ? sequenceID : nil
    origin.streamCount = streamCount
    origin.streamIndex = streamIndex
    origin.isTransposed = isTransposed
    origin.rotation = rotation
    origin.architecture = architecture.map { Array($0.utf8) }
    return origin
  }

  static func digest(_ tokens: some Sequence<Token>) -> UInt64 {
    var bytes: [UInt8] = []
    for token in tokens { withUnsafeBytes(of: token.littleEndian) { bytes += $0 } }
    return ChainHash.sha256(bytes).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
  }

  /// Whether a prefix of the rows is a state of its own.
  public var canBeCut: Bool {
    if case .verbatim = tokenField { return false }
    return hasAttention && restByteCount == 0 && cells.positions.increases
  }

  /// Why a prefix cannot be written; nil where it can.
  var reasonAgainstCutting: String? {
    if canBeCut { return nil }
    if case .verbatim = tokenField { return "its tokens stand for media, which cannot be cut" }
    if !hasAttention { return "it is a recurrent state, which is whole or nothing" }
    if restByteCount > 0 {
      return
        "it carries \(restByteCount) bytes that cannot be cut at a token (sliding-window, recurrent or other "
        + "sequences' caches)"
    }
    return "its cells are not in the order of their positions"
  }

  public var formatName: String {
    switch container {
    case .sequenceFile: "llama.cpp sequence file, version \(version)"
    case .sessionFile: "llama.cpp session file, version \(version + StateContainer.sessionVersionLead)"
    case .memoryBlob: "llama.cpp memory blob, like version \(version)"
    case .contextBlob: "llama.cpp context state, like version \(version)"
    }
  }

  /// Settings under which the rows were computed, for `ModelFingerprint`.
  public var fingerprintSettings: [String: String] {
    // Versions 2 and 3 differ in what a cell tells besides its position, never in rows; a blob does not say which it
    // is.
    var settings = ["llama.version": "\(max(version, 3))", "llama.v_trans": isTransposed ? "1" : "0"]
    if let rotation {
      settings["llama.n_rot_k"] = "\(rotation.keys)"
      settings["llama.n_rot_v"] = "\(rotation.values)"
    }
    // Planes of raw bytes do not tell one ggml type from another of the same size.
    for (name, types) in [("llama.types_k", keyTypes), ("llama.types_v", valueTypes)] {
      let hasRaw = types.runs.contains { run in
        (0..<run.count).contains { GGMLType(number: Int32(run.start + run.step * Int64($0)))?.elementType == .raw }
      }
      if hasRaw { settings[name] = types.runs.map { "\($0.count)x\($0.start)+\($0.step)" }.joined(separator: ",") }
    }
    return settings
  }
}
