import KVBlocks

/// Writes a session as safetensors in kvpager's layout: the very file that was imported, a prefix of it, or any
/// session's rows.
public struct SafetensorsWriter: StateExport {
  public let byteCount: Int
  public let rowCount: Int
  private let header: SafetensorsHeader
  /// What each tensor holds; planes as indexes into the caller's.
  private let contents: [SafetensorsLayout.Content]
  private let tokens: [Token]
  private let rowByteCounts: [Int]

  /// - Parameters:
  ///   - origin: the session's; where it came from safetensors its header is kept, else a header is made.
  ///   - tokens: all tokens of the session, one a row.
  ///   - planes: the session's, in the order that `gather`'s index means.
  ///   - tokenCount: rows to write, from the first; nil for all.
  ///   - headCount: KV heads, so that shapes are [tokens, heads, head size]; nil for [tokens, elements of a row].
  ///   - metadata: names and values for the header's `__metadata__`, where a header is made.
  public init(
    origin: [UInt8], tokens: [Token], planes: [PlaneLayout], tokenCount: Int? = nil, headCount: Int? = nil,
    metadata: [String: String] = [:]
  ) throws(StoreError) {
    let rowCount = tokenCount ?? tokens.count
    guard (0...tokens.count).contains(rowCount) else {
      throw .invalidArgument("\(rowCount) tokens are asked for and the session has \(tokens.count)")
    }
    self.rowCount = rowCount
    self.tokens = Array(tokens.prefix(rowCount))
    rowByteCounts = planes.map(\.rowByteCount)
    if OriginCoding.kind(of: origin) == .safetensors {
      let origin = try SafetensorsOrigin(encoded: origin)
      (header, contents) = try Self.kept(origin, tokens: self.tokens, planes: planes)
    } else {
      let tokensAreKnown = try EngineFile.tokensAreKnown(origin: origin)
      (header, contents) = try Self.made(
        planes, rowCount: rowCount, withTokens: tokensAreKnown, headCount: headCount, metadata: metadata)
    }
    byteCount = header.byteCount + (header.tensors.last?.end ?? 0)
  }

  /// The imported header, or one like it with another number of tokens.
  private static func kept(
    _ origin: SafetensorsOrigin, tokens: [Token], planes: [PlaneLayout]
  ) throws(StoreError) -> (SafetensorsHeader, [SafetensorsLayout.Content]) {
    let (header, layout) = try origin.header()
    var contents: [SafetensorsLayout.Content] = []
    for content in layout.contents {
      guard case .plane(let index) = content else {
        contents.append(content)
        continue
      }
      guard let given = planes.firstIndex(of: layout.planes[index]) else {
        throw .invalidArgument("the session's layout has no \(layout.planes[index].plane) as its origin describes it")
      }
      contents.append(.plane(given))
    }
    if tokens.count == origin.rowCount, SequenceOrigin.digest(tokens) == origin.tokenDigest {
      return (header, contents)
    }
    var tensors = header.tensors
    for index in tensors.indices { tensors[index].shape[0] = tokens.count }
    return (SafetensorsHeader(metadata: header.metadata, tensors: tensors), contents)
  }

  private static func made(
    _ planes: [PlaneLayout], rowCount: Int, withTokens: Bool, headCount: Int?, metadata: [String: String]
  ) throws(StoreError) -> (SafetensorsHeader, [SafetensorsLayout.Content]) {
    var tensors: [TensorEntry] = []
    var contents: [SafetensorsLayout.Content] = []
    var members = metadata.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    if withTokens {
      tensors.append(TensorEntry(name: SafetensorsLayout.tokensName, dtype: "I32", shape: [rowCount]))
      contents.append(.tokens)
    }
    let ordered = planes.enumerated().sorted {
      ($0.element.plane.layer, $0.element.plane.kind.rawValue) < (
        $1.element.plane.layer, $1.element.plane.kind.rawValue
      )
    }
    for (index, layout) in ordered {
      let dtype = SafetensorsLayout.dtype(layout.elementType)
      let isPacked = dtype == "U8"
      let elementCount = isPacked ? layout.rowByteCount : layout.rowByteCount / layout.elementType.unitByteCount
      var shape = [rowCount, elementCount]
      if let headCount, !isPacked {
        guard headCount > 0, elementCount % headCount == 0 else {
          throw .invalidArgument("\(layout.plane) has \(elementCount) elements a row, which are not \(headCount) heads")
        }
        shape = [rowCount, headCount, elementCount / headCount]
      }
      let name = SafetensorsLayout.name(layout.plane)
      if isPacked, layout.elementType != .raw { members.append((name, layout.elementType.name)) }
      let entry = TensorEntry(name: name, dtype: dtype, shape: shape)
      guard entry.byteCount != nil else { throw .invalidArgument("the file would be larger than any file") }
      tensors.append(entry)
      contents.append(.plane(index))
    }
    return (SafetensorsHeader(metadata: members, tensors: tensors), contents)
  }

  public func write<Failure: Error>(
    to sink: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    gather: (_ plane: Int, _ rows: Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void,
    progress: ((Int) -> Void)? = nil
  ) throws(Failure) {
    var out = PieceBuffer(progress: progress)
    try out.integer(UInt64(header.text.count), sink)
    try out.append(header.text, sink)
    for content in contents {
      switch content {
      case .tokens:
        for token in tokens { try out.integer(token, sink) }
      case .plane(let index):
        try RowPieces.write(
          plane: index, rowByteCount: rowByteCounts[index], rowCount: rowCount, pieceByteCount: Self.pieceByteCount,
          gather: gather
        ) { (bytes) throws(Failure) in try out.append(bytes, sink) }
      }
    }
    try out.flush(sink)
    assert(out.writtenByteCount == byteCount, "the size foretold is the size written")
  }
}
