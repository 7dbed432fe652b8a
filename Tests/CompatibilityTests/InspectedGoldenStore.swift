import Foundation
import KVPager
import KVSimulation
import Testing

/// Makes data/golden/inspected-v1, the store that the inspector's golden outputs are told of: three spaces, sessions
/// that share, branch, expire and hold a checkpoint, blocks in no session. Rows are values as attention has them: they
/// change little from token to token.
@Suite struct InspectedGoldenStore {
  private static func layout(_ type: ElementType, blockTokenCount: Int, layers: Int) throws -> BlockLayout {
    let valueCount = 64
    let rowByteCount = valueCount / type.unitValueCount * type.unitByteCount
    let kinds: [Plane.Kind] = [.keys, .values]
    return try BlockLayout(
      blockTokenCount: blockTokenCount,
      planes: kinds.flatMap { kind in
        (0..<layers).map { PlaneLayout(Plane(kind, layer: $0), elementType: type, rowByteCount: rowByteCount) }
      })
  }

  /// A wave for each column, of the layer's own size, and a little noise of the token's.
  private static func value(_ token: Token, position: Int, plane: PlaneLayout, column: Int) -> Float {
    var random = SplitMix64(seed: UInt64(UInt32(bitPattern: token)) << 20 ^ UInt64(column))
    let noise = Float(random.next() % 1000) / 1000 - 0.5
    let scale: Float = plane.plane.kind == .keys ? 2 : 0.5
    let phase = Float(position) * 0.02 + Float(column) * 0.7 + Float(plane.plane.layer)
    return scale * (sin(phase) + 0.1 * noise) / Float(1 + plane.plane.layer)
  }

  private static func fill(_ rows: UnsafeMutableRawBufferPointer, _ plane: PlaneLayout, _ tokens: [Token], from: Int) {
    for (row, token) in tokens.enumerated() {
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: rows[row * plane.rowByteCount..<(row + 1) * plane.rowByteCount])
      let values = (0..<64).map { value(token, position: from + row, plane: plane, column: $0) }
      switch plane.elementType {
      case .f16: for (index, value) in values.enumerated() { store(Float16(value).bitPattern, bytes, 2 * index) }
      case .bf16:
        for (index, value) in values.enumerated() {
          store(UInt16(value.bitPattern >> 16), bytes, 2 * index)
        }
      case .q8_0:
        for unit in 0..<2 {
          let part = values[unit * 32..<unit * 32 + 32]
          let scale = (part.map(abs).max() ?? 0) / 127
          store(Float16(scale).bitPattern, bytes, unit * 34)
          for (index, value) in part.enumerated() {
            store(UInt8(bitPattern: Int8((value / scale).rounded())), bytes, unit * 34 + 2 + index)
          }
        }
      default: preconditionFailure("no rows of \(plane.elementType) here")
      }
    }
  }

  private static func store(_ value: some FixedWidthInteger, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int) {
    bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
  }

  private static func append(_ tokens: [Token], to session: Session, _ layout: BlockLayout) throws {
    let first = session.tokenCount
    try session.append(tokens) { writer in
      for plane in layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) {
          fill($0, layout.planes[plane], Array(tokens[writer.tokens]), from: first + writer.tokens.lowerBound)
        }
      }
    }
  }

  private static func make(_ path: String) throws {
    var configuration = StoreConfiguration()
    configuration.mapSizeBytes = 1 << 34
    configuration.logger.logLevel = .critical
    let store = try Store(at: path, configuration: configuration)
    let layout = try layout(.bf16, blockTokenCount: 16, layers: 4)
    let space = try store.cacheSpace(
      for: ModelFingerprint(model: "tiny-llama", settings: ["flash attention": "on"]), layout: layout)

    let system = tokens(100..<164)
    func chat(_ name: String, _ prompt: [Token], _ metadata: [String: String]) throws -> Session {
      let known = try space.longestPrefix(of: prompt)
      let session = try space.createSession(named: name, startingWith: prompt, from: known)
      try append(Array(prompt[session.tokenCount...]), to: session, layout)
      session.metadata = metadata
      return session
    }
    let anna = try chat("support/anna", system + tokens(200..<240), ["title": "The printer", "user": "anna"])
    try anna.commit()
    try chat("support/ben", system + tokens(300..<323), ["title": "Opening hours", "user": "ben"]).commit()
    try chat("support/cleo", system + tokens(400..<407), ["user": "cleo"]).commit()
    let branch = try anna.fork(named: "support/anna, second try", tokenCount: 80)
    try append(tokens(500..<510), to: branch, layout)
    try branch.commit()
    let draft = try chat("draft", tokens(600..<633), [:])
    draft.expiresMicroseconds = 1_700_000_000_000_000
    try draft.commit()
    let window = try chat("window", tokens(700..<720), [:])
    window.setCheckpoint((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 4) })
    try window.commit()
    // In no session: two prompts that begin alike.
    for end in [848, 864] {
      let prompt = tokens(800..<832) + tokens(end - 16..<end)
      try space.insert(prompt) { writer in
        for plane in layout.planes.indices {
          writer.withUnsafeRows(ofPlane: plane) {
            fill($0, layout.planes[plane], Array(prompt[writer.tokens]), from: writer.tokens.lowerBound)
          }
        }
      }
    }

    let half = try Self.layout(.f16, blockTokenCount: 16, layers: 4)
    let salted = try store.cacheSpace(for: ModelFingerprint(model: "tiny-llama", salt: "team b"), layout: half)
    let notes = try salted.createSession(named: "notes")
    try append(system + tokens(900..<911), to: notes, half)
    try notes.commit()
    let small = try Self.layout(.q8_0, blockTokenCount: 8, layers: 2)
    let quantized = try store.cacheSpace(for: ModelFingerprint(model: "tiny-quantized"), layout: small)
    let other = try quantized.createSession(named: "support/anna")
    try append(tokens(0..<20), to: other, small)
    try other.commit()
    try store.writeBack()
    try store.close()
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["KVPAGER_MAKE_INSPECTED"] != nil))
  func `makes the inspected store`() throws {
    try Self.make(try #require(ProcessInfo.processInfo.environment["KVPAGER_MAKE_INSPECTED"]))
  }
}
