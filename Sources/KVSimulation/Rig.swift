import KVBlocks
import KVPager

/// A small model's store: what is appended is a function of the tokens, so any row can be checked.
package struct Rig: Sendable {
  package let layout: BlockLayout
  package let rows: RowFunction
  /// The store's folder.
  package let path: String
  private let folder: TemporaryFolder?
  package let fingerprint = ModelFingerprint(model: "test")

  /// Without a path the store lies in a temporary folder that goes with the rig.
  package init(
    path: String? = nil, blockTokenCount: Int = 8, rowByteCount: Int = 64, layerCount: Int = 2,
    elementType: ElementType = .bf16
  ) throws {
    folder = path == nil ? TemporaryFolder() : nil
    self.path = path ?? folder?.store ?? ""
    let kinds: [Plane.Kind] = [.keys, .values]
    layout = try BlockLayout(
      blockTokenCount: blockTokenCount,
      planes: kinds.flatMap { kind in
        (0..<layerCount).map {
          PlaneLayout(Plane(kind, layer: $0), elementType: elementType, rowByteCount: rowByteCount)
        }
      })
    rows = RowFunction(layout: layout)
  }

  package func open(blocks: Int = 16, quotaBytes: Int? = nil, access: StoreConfiguration.Access = .readWriteCreating)
    throws
    -> Store
  {
    var configuration = StoreConfiguration()
    configuration.access = access
    configuration.memoryBudgetBytes = layout.frameByteCount * blocks
    configuration.diskQuotaBytes = quotaBytes
    configuration.mapSizeBytes = 1 << 34
    configuration.logger.logLevel = .critical
    return try Store(at: path, configuration: configuration)
  }

  package func space(_ store: Store) throws -> CacheSpace { try store.cacheSpace(for: fingerprint, layout: layout) }

  /// Appends `tokens`; their rows follow from all tokens up to them. Returns how often rows were asked for.
  @discardableResult
  package func append(_ tokens: [Token], to session: Session, sharing: BlockSharing = .byIdentity) throws -> Int {
    let states = rows.states(of: session.tokens + tokens)
    let first = states.count - tokens.count
    var calls = 0
    try session.append(tokens, sharing: sharing) { writer in
      calls += 1
      let wanted = states[first + writer.tokens.lowerBound..<first + writer.tokens.upperBound]
      for plane in layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rows.fill($0, plane: plane, states: wanted) }
      }
    }
    return calls
  }

  /// Whether every row of a session is what its tokens say.
  package func isWhole(_ session: Session) throws -> Bool {
    let states = rows.states(of: session.tokens)
    for plane in layout.planes.indices {
      var bytes = [UInt8](repeating: 0, count: states.count * layout.planes[plane].rowByteCount)
      let isRight = try bytes.withUnsafeMutableBytes {
        try session.gather(plane: plane, into: $0)
        return rows.matches(UnsafeRawBufferPointer($0), plane: plane, states: states[...])
      }
      if !isRight { return false }
    }
    return true
  }
}

/// The tokens `range`, one number each.
package func tokens(_ range: Range<Int>) -> [Token] { range.map { Token($0) } }
