import KVBlocks

/// All decisions about a state to be written, taken and checked before the first byte.
struct SequenceExportPlan: Sendable {
  struct OutPlane: Hashable, Sendable {
    /// Index into the planes that the caller gave.
    let index: Int
    let type: GGMLType
    let rowByteCount: Int
  }

  var container: StateContainer
  var version: Int
  var blobSequenceID: Int32?
  var architecture: [UInt8] = []
  var tokenWords: [Int32] = []
  /// Parts of the checkpoint, which may be large: never copied.
  var outputs: ArraySlice<UInt8> = []
  var rest: ArraySlice<UInt8> = []
  var hasAttention: Bool
  var streamCount: Int
  var streamIndex: Int
  var rowCount: Int
  var cells: CellTable
  var extensionByteCount = 0
  var tokens: [Token]
  /// Nil: each cell keeps its own list.
  var sequenceID: Int32?
  /// Each cell keeps the first of its sequences only.
  var keepsFirstSequenceOnly = false
  var isTransposed: Bool
  var rotation: CacheRotation?
  var workingByteCount: Int
  var keys: [OutPlane] = []
  var values: [OutPlane] = []

  init(
    origin: SequenceOrigin, tokens allTokens: [Token], planes: [PlaneLayout], checkpoint: [UInt8],
    options: SequenceExportOptions
  ) throws(StoreError) {
    rowCount = options.tokenCount ?? allTokens.count
    guard (0...allTokens.count).contains(rowCount) else {
      throw .invalidArgument("\(rowCount) tokens are asked for and the session has \(allTokens.count)")
    }
    tokens = Array(allTokens.prefix(rowCount))
    container = options.container ?? origin.container
    version = options.version ?? origin.version
    guard (2...4).contains(version) else {
      throw .invalidArgument("llama.cpp sequence version \(version) is not known; choose 2, 3 or 4")
    }
    hasAttention = origin.hasAttention
    workingByteCount = max(1, options.workingByteCount)
    cells = origin.cells
    isTransposed = options.isTransposed ?? origin.isTransposed
    streamCount = options.streamCount ?? origin.streamCount
    streamIndex = options.streamIndex ?? (origin.streamIndex < streamCount ? origin.streamIndex : 0)
    guard (1...StateLimit.streamCount).contains(streamCount), (0..<streamCount).contains(streamIndex) else {
      throw .invalidArgument(
        "stream \(streamIndex) of \(streamCount); a state has 1 to \(StateLimit.streamCount) streams")
    }
    sequenceID = options.sequenceID
    if let sequenceID, !(0..<Int32(StateLimit.sequenceCount)).contains(sequenceID) {
      throw .invalidArgument("sequence id \(sequenceID); it must be 0 to \(StateLimit.sequenceCount - 1)")
    }
    let isWhole = rowCount == origin.cells.count && SequenceOrigin.digest(tokens) == origin.tokenDigest
    try takeCheckpoint(checkpoint, origin: origin, isWhole: isWhole, options: options)
    try checkExtent(origin: origin)
    try takeContainer(origin: origin, isWhole: isWhole, options: options)
    guard rowCount > 0, hasAttention else { return }
    try takePlanes(planes, origin: origin)
    try takeRotation(origin: origin, options: options)
  }

  private mutating func takeCheckpoint(
    _ checkpoint: [UInt8], origin: SequenceOrigin, isWhole: Bool, options: SequenceExportOptions
  ) throws(StoreError) {
    if !isWhole {
      if let reason = origin.reasonAgainstCutting {
        throw .invalidArgument(
          "only the \(origin.cells.count) tokens that were imported can be written, not \(rowCount): \(reason)")
      }
      // Outputs belong to the last token, so that a cut or a longer state has none.
      outputs = origin.outputsByteCount > 0 ? ArraySlice(repeating: 0, count: 20) : []
    } else {
      guard checkpoint.count == origin.outputsByteCount + origin.restByteCount else {
        throw .invalidArgument(
          "the session's checkpoint has \(checkpoint.count) bytes and its origin tells of "
            + "\(origin.outputsByteCount + origin.restByteCount)")
      }
      outputs = checkpoint.prefix(origin.outputsByteCount)
      rest = checkpoint.dropFirst(origin.outputsByteCount)
    }
    if !container.isWholeContext { outputs = [] }
    guard !rest.isEmpty else { return }
    let versionsAgree =
      version == origin.version || (version < 4 && origin.version < 4 && origin.cells.extensionByteCount == 0)
    let isReshaped =
      isTransposed != origin.isTransposed || streamCount != origin.streamCount || streamIndex != origin.streamIndex
      || sequenceID != nil || (options.rotation != nil && options.rotation != origin.rotation)
    let losesSequences = origin.container.isWholeContext && !container.isWholeContext
    guard versionsAgree, !isReshaped, !losesSequences else {
      throw .invalidArgument(
        "the state carries \(rest.count) bytes of other caches that are only valid as they were imported; "
          + "leave out the options "
          + "that change version, streams, sequences or order")
    }
  }

  /// Appended tokens continue the cells; that is only meaningful where these count up.
  private func checkExtent(origin: SequenceOrigin) throws(StoreError) {
    guard rowCount > origin.cells.count, origin.cells.count > 0 else { return }
    let columns = [origin.cells.extensionX, origin.cells.extensionY, origin.cells.extensionTokenExcess]
    let extensionContinues = columns.allSatisfy { ($0.runs.last?.count ?? 2) > 1 }
    guard origin.cells.isRegular, extensionContinues else {
      throw .invalidArgument(
        "the session grew from \(origin.cells.count) imported cells to \(rowCount), and the positions of the "
          + "new ones are not "
          + "known; export at most \(origin.cells.count) tokens")
    }
  }

  private mutating func takeContainer(
    origin: SequenceOrigin, isWhole: Bool, options: SequenceExportOptions
  ) throws(StoreError) {
    let firstID = origin.cells.sequenceLists.first?.first ?? 0
    switch container {
    case .memoryBlob:
      let isBlobAlready = origin.container == .memoryBlob
      if options.hasBlobHeader ?? (isBlobAlready ? origin.blobSequenceID != nil : true) {
        blobSequenceID = sequenceID ?? origin.blobSequenceID ?? firstID
      }
    case .sessionFile, .contextBlob:
      guard let name = options.architecture.map({ Array($0.utf8) }) ?? origin.architecture else {
        throw .invalidArgument("a whole context's state names the model's architecture (\"llama\", ...); give it")
      }
      guard name.count <= StateLimit.architectureByteCount else {
        throw .invalidArgument(
          "an architecture's name of \(name.count) bytes; at most \(StateLimit.architectureByteCount)")
      }
      architecture = name
    case .sequenceFile: break
    }
    keepsFirstSequenceOnly = origin.container.isWholeContext && !container.isWholeContext && sequenceID == nil
    if container.carriesTokens {
      if case .absent = origin.tokenField {
        tokenWords = origin.tokensAreKnown ? tokens : []
      } else {
        tokenWords = origin.tokenField.words(tokens: tokens, isWhole: isWhole)
      }
    }
    if origin.cells.extensionByteCount > 0 { extensionByteCount = version == 2 ? 8 : 12 }
    guard extensionByteCount <= origin.cells.extensionByteCount || origin.tokensAreKnown else {
      throw .invalidArgument("version \(version) lists each cell's token, and the tokens of this state are not known")
    }
  }

  private mutating func takePlanes(_ planes: [PlaneLayout], origin: SequenceOrigin) throws(StoreError) {
    func sorted(_ kind: Plane.Kind) -> [(offset: Int, element: PlaneLayout)] {
      planes.enumerated().filter { $0.element.plane.kind == kind }.sorted {
        $0.element.plane.layer < $1.element.plane.layer
      }
    }
    let keyPlanes = sorted(.keys)
    let valuePlanes = sorted(.values)
    guard !keyPlanes.isEmpty, valuePlanes.isEmpty || valuePlanes.count == keyPlanes.count,
      keyPlanes.count <= StateLimit.layerCount
    else {
      throw .invalidArgument(
        "\(keyPlanes.count) planes of keys and \(valuePlanes.count) of values; a state has as many of both, "
          + "or keys alone"
      )
    }
    keys = try Self.outPlanes(keyPlanes, types: origin.keyTypes)
    values = try Self.outPlanes(valuePlanes, types: origin.valueTypes)
    if isTransposed, let plane = values.first(where: { $0.type.isQuantized }) {
      throw .invalidArgument("values of type \(plane.type.name) cannot be written transposed")
    }
  }

  private static func outPlanes(
    _ planes: [(offset: Int, element: PlaneLayout)], types: RunColumn
  ) throws(StoreError) -> [OutPlane] {
    guard types.count == 0 || types.count == planes.count else {
      throw .invalidArgument("the session has \(planes.count) layers and its origin \(types.count)")
    }
    var cursor = types.cursor()
    var result: [OutPlane] = []
    for (index, layout) in planes {
      let type =
        types.count == 0
        ? GGMLType(layout.elementType) : Int32(exactly: cursor.next()).flatMap { GGMLType(number: $0) }
      guard let type, type.elementType == layout.elementType, layout.rowByteCount % type.unitByteCount == 0 else {
        throw .invalidArgument(
          "\(layout.plane) has elements of type \(layout.elementType.name), which llama.cpp cannot be given")
      }
      result.append(OutPlane(index: index, type: type, rowByteCount: layout.rowByteCount))
    }
    return result
  }

  private mutating func takeRotation(origin: SequenceOrigin, options: SequenceExportOptions) throws(StoreError) {
    guard version >= 4 else { return }
    rotation = options.rotation ?? origin.rotation
    if rotation == nil {
      guard !(keys + values).contains(where: { $0.type.isQuantized }) else {
        throw .invalidArgument(
          "version 4 records how quantised rows are rotated, and this state does not tell; give the rotation "
            + "or export version 3"
        )
      }
      rotation = CacheRotation(keys: 0, values: 0)
    }
  }
}
