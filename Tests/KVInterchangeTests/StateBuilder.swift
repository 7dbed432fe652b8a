import KVBlocks
import KVInterchange

/// Builds states as llama.cpp lays them out, field by field, independently of the writer under test.
struct StateBuilder {
  struct Cell {
    var position: Int32
    var sequences: [Int32] = [0]
    var x: Int32 = 0
    var y: Int32 = 0
    var token: Int32 = 0
  }

  struct Rows {
    var type: Int32 = 1
    var rowByteCount = 8
    /// Of one element, for transposed values.
    var elementByteCount = 2
  }

  var bytes: [UInt8] = []
  var version = 4
  var extensionByteCount = 0

  mutating func u32(_ value: Int) { withUnsafeBytes(of: UInt32(value).littleEndian) { bytes += $0 } }
  mutating func i32(_ value: Int32) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
  mutating func u64(_ value: Int) { withUnsafeBytes(of: UInt64(value).littleEndian) { bytes += $0 } }

  /// "ggsq", or "ggsn" where there is an architecture.
  mutating func file(words: [Int32], architecture: String? = nil) {
    u32(architecture == nil ? 0x6767_7371 : 0x6767_736e)
    u32(architecture == nil ? version : version + 7)
    u32(words.count)
    for word in words { i32(word) }
    guard let architecture else { return }
    u32(architecture.utf8.count)
    bytes += architecture.utf8
  }

  mutating func blobHeader(sequence: Int32) {
    u32(0xaf14_3cd8)
    i32(sequence)
  }

  /// The byte of a plane's row, the same for any order of the file.
  static func element(_ seed: Int, row: Int, byte: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: (seed &* 7919 &+ row &* 131 &+ byte &* 17) &* 2_654_435_761 >> 7)
  }

  static func rows(seed: Int, rowCount: Int, rowByteCount: Int) -> [UInt8] {
    (0..<rowCount).flatMap { row in (0..<rowByteCount).map { element(seed, row: row, byte: $0) } }
  }

  mutating func stream(
    _ cells: [Cell], layers: Int = 2, keys: Rows = Rows(), values: Rows? = Rows(), isTransposed: Bool = false,
    rotation: (Int, Int) = (0, 0), seed: Int = 0
  ) {
    u32(cells.count)
    if cells.isEmpty { return }
    for cell in cells {
      i32(cell.position)
      u32(cell.sequences.count)
      if extensionByteCount > 0 {
        i32(cell.x)
        i32(cell.y)
      }
      if extensionByteCount == 12 { i32(cell.token) }
      for id in cell.sequences { i32(id) }
    }
    u32(isTransposed ? 1 : 0)
    u32(layers)
    if version >= 4 {
      u32(rotation.0)
      u32(rotation.1)
    }
    for layer in 0..<layers {
      i32(keys.type)
      u64(keys.rowByteCount)
      bytes += Self.rows(seed: seed + layer, rowCount: cells.count, rowByteCount: keys.rowByteCount)
    }
    guard let values else { return }
    for layer in 0..<layers {
      i32(values.type)
      let rows = Self.rows(seed: seed + 100 + layer, rowCount: cells.count, rowByteCount: values.rowByteCount)
      guard isTransposed else {
        u64(values.rowByteCount)
        bytes += rows
        continue
      }
      let element = values.elementByteCount
      u32(element)
      u32(values.rowByteCount / element)
      for channel in 0..<values.rowByteCount / element {
        for row in 0..<cells.count {
          bytes +=
            rows[row * values.rowByteCount + channel * element..<row * values.rowByteCount + (channel + 1) * element]
        }
      }
    }
  }

  /// One cell's recurrent state in some layers.
  mutating func recurrent(position: Int32, layers: Int = 3, filled: Int = 2, sequences: [Int32] = []) {
    u32(1)
    i32(position)
    u32(sequences.count)
    for id in sequences { i32(id) }
    u32(0)
    u32(layers)
    for part in 0..<2 {
      for layer in 0..<filled {
        i32(0)
        u64(part == 0 ? 16 : 24)
        bytes += Self.rows(seed: 500 + 10 * part + layer, rowCount: 1, rowByteCount: part == 0 ? 16 : 24)
      }
    }
  }

  static func cells(_ count: Int, sequence: Int32 = 0) -> [Cell] {
    (0..<count).map {
      Cell(position: Int32($0), sequences: [sequence], x: Int32($0), y: Int32($0), token: 1000 + Int32($0))
    }
  }

  static func tokens(_ count: Int) -> [Token] { (0..<count).map { 1000 + Token($0) } }
}

/// Every shape of state that the format allows, small.
enum BuiltStates {
  static let all: [(name: String, bytes: [UInt8])] = {
    var states: [(String, [UInt8])] = []
    for version in 2...4 {
      for (name, isTransposed, hasExtension) in [
        ("plain", false, false), ("v_trans", true, false), ("mrope", false, true),
      ] {
        var file = StateBuilder(version: version, extensionByteCount: hasExtension ? (version == 2 ? 8 : 12) : 0)
        file.file(words: StateBuilder.tokens(5))
        file.u32(1)
        file.stream(StateBuilder.cells(5), isTransposed: isTransposed)
        states.append(("ggsq \(version) \(name)", file.bytes))
        for header in [true, false] {
          var blob = StateBuilder(version: version, extensionByteCount: file.extensionByteCount)
          if header { blob.blobHeader(sequence: 3) }
          blob.u32(1)
          blob.stream(StateBuilder.cells(5, sequence: 3), isTransposed: isTransposed)
          states.append(("blob \(version) \(name) \(header ? "with" : "without") header", blob.bytes))
        }
      }
    }
    return states + types + containers + uncuttable
  }()

  static let types: [(String, [UInt8])] = [
    ("f32", Int32(0), 16, 4), ("bf16", 30, 8, 2), ("q8_0", 8, 34, 34), ("q4_0", 2, 18, 18), ("q5_1", 7, 24, 24),
    ("iq4_nl", 20, 36, 18),
  ].map { name, type, rowByteCount, elementByteCount in
    var file = StateBuilder()
    file.file(words: StateBuilder.tokens(4))
    file.u32(1)
    let rows = StateBuilder.Rows(type: type, rowByteCount: rowByteCount, elementByteCount: elementByteCount)
    file.stream(StateBuilder.cells(4), keys: rows, values: rows, rotation: (64, 64))
    return ("type \(name)", file.bytes)
  }

  static let containers: [(String, [UInt8])] = {
    var states: [(String, [UInt8])] = []
    var session = StateBuilder()
    session.file(words: StateBuilder.tokens(5), architecture: "llama")
    session.u32(1)
    session.stream(StateBuilder.cells(5))
    states.append(("ggsn", session.bytes))

    var outputs = StateBuilder(version: 2)
    outputs.file(words: StateBuilder.tokens(5), architecture: "llama")
    outputs.u32(1)
    outputs.i32(0)
    outputs.u64(3)
    for _ in 0..<3 { outputs.u32(0x3f80_0000) }
    outputs.u64(0)
    outputs.u32(1)
    outputs.stream(StateBuilder.cells(5))
    states.append(("ggsn with outputs", outputs.bytes))

    var slot = StateBuilder()
    slot.file(words: [-1, 1, 6] + StateBuilder.tokens(6) + [0])
    slot.u32(1)
    slot.stream(StateBuilder.cells(5))
    states.append(("slot file", slot.bytes))

    var streams = StateBuilder()
    streams.file(words: StateBuilder.tokens(5))
    streams.u32(4)
    streams.stream([])
    streams.stream([])
    streams.stream(StateBuilder.cells(5, sequence: 2))
    streams.stream([])
    states.append(("four streams", streams.bytes))

    var latent = StateBuilder()
    latent.file(words: StateBuilder.tokens(5))
    latent.u32(1)
    latent.stream(StateBuilder.cells(5), values: nil)
    states.append(("latent attention, keys alone", latent.bytes))

    var trailing = StateBuilder()
    trailing.file(words: StateBuilder.tokens(7))
    trailing.u32(1)
    trailing.stream(StateBuilder.cells(5))
    states.append(("tokens beyond the cells", trailing.bytes))

    var short = StateBuilder()
    short.file(words: StateBuilder.tokens(3))
    short.u32(1)
    short.stream(StateBuilder.cells(5))
    states.append(("fewer tokens than cells", short.bytes))

    var shifted = StateBuilder()
    shifted.file(words: StateBuilder.tokens(5))
    shifted.u32(1)
    shifted.stream([0, 1, 7, 8, 9].map { StateBuilder.Cell(position: $0) })
    states.append(("a hole in the positions", shifted.bytes))

    var empty = StateBuilder()
    empty.file(words: [])
    empty.u32(2)
    empty.stream([])
    empty.stream([])
    states.append(("no cells", empty.bytes))
    return states
  }()

  /// States that hold what cannot be cut at a token.
  static let uncuttable: [(String, [UInt8])] = {
    var states: [(String, [UInt8])] = []
    func file(_ name: String, words: [Int32] = StateBuilder.tokens(5), _ body: (inout StateBuilder) -> Void) {
      var builder = StateBuilder()
      builder.file(words: words)
      body(&builder)
      states.append((name, builder.bytes))
    }
    file("sliding window") {
      $0.u32(1)
      $0.stream(StateBuilder.cells(5))
      $0.u32(1)
      $0.stream(Array(StateBuilder.cells(5).suffix(3)), layers: 3, seed: 40)
    }
    file("sliding window in streams") {
      for seed in [0, 40] {
        $0.u32(2)
        $0.stream(StateBuilder.cells(5), seed: seed)
        $0.stream([])
      }
    }
    file("hybrid") {
      $0.u32(1)
      $0.stream(StateBuilder.cells(5))
      $0.recurrent(position: 4)
    }
    file("hybrid with a sliding window") {
      $0.u32(1)
      $0.stream(StateBuilder.cells(5))
      $0.u32(1)
      $0.stream(StateBuilder.cells(2), seed: 40)
      $0.recurrent(position: 4, sequences: [0])
    }
    file("recurrent alone") { $0.recurrent(position: 4) }
    file("media", words: [-1, 1, 5] + StateBuilder.tokens(5) + [1, 2, 3, 0x0062_6162]) {
      $0.u32(1)
      $0.stream([0, 1, 2, 2, 3].map { StateBuilder.Cell(position: $0) })
    }
    var session = StateBuilder()
    session.file(words: StateBuilder.tokens(5), architecture: "llama")
    session.u32(3)
    session.stream(StateBuilder.cells(5))
    session.stream(StateBuilder.cells(3, sequence: 1), seed: 70)
    session.stream([])
    states.append(("two sequences in streams", session.bytes))
    var unified = StateBuilder()
    unified.file(words: StateBuilder.tokens(5), architecture: "llama")
    unified.u32(1)
    let second = [2, 3].map { StateBuilder.Cell(position: $0, sequences: [1]) }
    unified.stream(
      StateBuilder.cells(3).map { StateBuilder.Cell(position: $0.position, sequences: [0, 1]) } + second + [
        StateBuilder.Cell(position: 2, sequences: [0])
      ])
    states.append(("two sequences in one stream", unified.bytes))
    return states
  }()

  static func named(_ name: String) throws -> [UInt8] {
    guard let state = all.first(where: { $0.name == name }) else {
      throw FormatError("no built state \(name)", offset: 0)
    }
    return state.bytes
  }

  static let names = all.map(\.name)
  static let uncuttableNames = uncuttable.map(\.0)
}
