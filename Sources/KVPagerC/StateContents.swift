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
    if !state.tokensAreKnown { fingerprint.salt += CacheSpace.apartMark + "\(try digest())" }
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

extension CacheSpace {
  /// Stands in the salt of spaces of states that do not tell their tokens.
  fileprivate static let apartMark = "|sha256:"

  /// Whether equal tokens in this space say nothing of equal rows.
  fileprivate var isApart: Bool { fingerprint.salt.contains(Self.apartMark) }
}

/// A state's rows in the order of a space's planes.
struct StateRows {
  private let state: any ImportedState
  /// The state's plane for each of the space's.
  private let planes: [Int]

  /// - Throws: `invalidArgument` where the state has other planes than the space, or would leave rows there under
  ///   tokens that they were not computed from.
  init(_ state: any ImportedState, in space: CacheSpace) throws(StoreError) {
    guard state.tokensAreKnown || state.rowCount == 0 || space.isApart else {
      throw .invalidArgument(
        "the state does not tell what its rows were computed from, so that others would take them for those of its "
          + "tokens: name the tokens when opening it, or open the state's own space")
    }
    let layout = space.layout
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
    let rows = try StateRows(state, in: space)
    guard state.checkpointByteCount <= Self.checkpointByteLimit else {
      throw StoreError.invalidArgument(
        "the state carries \(state.checkpointByteCount) bytes that cannot be cut at a token; "
          + "at most \(Self.checkpointByteLimit) are stored")
    }
    let checkpoint = state.checkpointByteCount > 0 ? try state.readCheckpoint() : nil
    let common = space.isApart ? 0 : zip(tokens, state.tokens).prefix { $0 == $1 }.count
    if checkpointByteCount > 0 { setCheckpoint(nil) }
    try truncate(to: common)
    try append(Array(state.tokens[common...]), sharing: space.isApart ? .byContent : sharing) {
      try rows.write(to: $0, skipping: common)
    }
    if let checkpoint { setCheckpoint(checkpoint) }
    origin = state.origin
  }
}

extension CacheSpace {
  /// Stores what `state` holds as cache.
  func insert(_ state: any ImportedState, sharing: BlockSharing) throws {
    let rows = try StateRows(state, in: self)
    try insert(state.tokens, sharing: isApart ? .byContent : sharing) { try rows.write(to: $0) }
  }
}
