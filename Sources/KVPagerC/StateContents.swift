import KVInterchange
import KVPager

extension OpenState: JSONConvertible {
  /// Reads a state's head, and compares its tokens with those that the caller gives.
  convenience init(_ source: ByteSource, tokens: [Token]?) throws {
    let state = try EngineFile.read(source, tokens: tokens)
    if let tokens {
      guard tokens.count >= state.rowCount else {
        throw StoreError.invalidArgument(
          "\(tokens.count) tokens are given and the state has \(state.rowCount) rows; give one for each")
      }
      guard tokens.starts(with: state.tokens) else {
        throw StoreError.invalidArgument(
          "the state carries tokens of its own, and they differ from those given; give none")
      }
    }
    self.init(state, source)
  }

  var json: JSONValue {
    [
      "format": .string(state.formatName), "tokens": .integer(state.tokens.count),
      "tokensKnown": .bool(state.tokensAreKnown), "checkpointBytes": .integer(state.checkpointByteCount),
      "canBeCut": .bool(state.canBeCut), "settings": .object(state.fingerprintSettings.mapValues { .string($0) }),
      "planes": JSONValue(state.planes), "shape": shape,
    ]
  }

  private var shape: JSONValue {
    guard let state = state as? SequenceState else { return ["format": "safetensors"] }
    return ExportOptions.json(state.exportOptions)
  }

  /// Adds to a fingerprint what the state tells: its settings, and its bytes' digest where nobody knows its tokens.
  func complete(_ fingerprint: inout ModelFingerprint) throws {
    for (name, value) in state.fingerprintSettings {
      guard fingerprint.settings[name, default: value] == value else {
        throw StoreError.invalidArgument(
          "descriptor: the setting \"\(name)\" is \"\(value)\" in the state; leave it out")
      }
      fingerprint.settings[name] = value
    }
    if !state.tokensAreKnown { fingerprint.salt += "|sha256:\(try digest())" }
  }

  private func digest() throws(FormatError) -> String {
    var digest = RowDigest()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < source.byteCount {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, source.byteCount - offset)])
      try source.read(at: offset, into: piece)
      digest.update(UnsafeRawBufferPointer(piece))
      offset += piece.count
    }
    return digest.finalize().description
  }
}

/// A state's rows in the order of a space's planes.
struct StateRows {
  private let state: any ImportedState
  /// The state's plane for each of the space's.
  private let planes: [Int]

  init(_ state: any ImportedState, layout: BlockLayout) throws(StoreError) {
    guard state.planes.count == layout.planes.count else {
      throw .invalidArgument(
        "the state has \(state.planes.count) planes and the cache space \(layout.planes.count); "
          + "open the state's own space")
    }
    var indexes: [PlaneLayout: Int] = [:]
    for (index, plane) in state.planes.enumerated() { indexes[plane] = index }
    var planes: [Int] = []
    for plane in layout.planes {
      guard let index = indexes[plane] else {
        throw .invalidArgument(
          "the state has no \(plane.plane) of \(plane.elementType.name), \(plane.rowByteCount) bytes a row; "
            + "open the state's own space")
      }
      planes.append(index)
    }
    self.state = state
    self.planes = planes
  }

  /// Writes appended rows into a block, `skipped` being the state's tokens before those appended.
  func write(to writer: borrowing RowWriter, skipping skipped: Int = 0) throws(FormatError) {
    let rows = writer.tokens.lowerBound + skipped..<writer.tokens.upperBound + skipped
    for (plane, source) in planes.enumerated() {
      try writer.withUnsafeRows(ofPlane: plane) { (target) throws(FormatError) in
        try state.copyRows(plane: source, rows: rows, into: target)
      }
    }
  }
}

extension Session {
  /// Makes the session hold what `state` holds.
  func take(_ state: any ImportedState, sharing: BlockSharing) throws {
    let rows = try StateRows(state, layout: space.layout)
    let checkpoint = state.checkpointByteCount > 0 ? try state.readCheckpoint() : nil
    let tokens = tokens
    // Placeholders are equal without their rows being so.
    let common = state.tokensAreKnown ? zip(tokens, state.tokens).prefix { $0 == $1 }.count : 0
    if checkpointByteCount > 0 { setCheckpoint(nil) }
    try truncate(to: common)
    try append(
      Array(state.tokens[common...]), sharing: state.tokensAreKnown ? sharing : .byContent
    ) { try rows.write(to: $0, skipping: common) }
    if let checkpoint { setCheckpoint(checkpoint) }
    origin = state.origin
  }
}
