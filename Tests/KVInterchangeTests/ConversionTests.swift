import KVBlocks
import KVInterchange
import Testing

struct ConversionTests {
  private func state(_ bytes: [UInt8]) throws -> SequenceState { try SequenceState.read(ByteSource(bytes: bytes)) }

  @Test func `version 4 to 3 to 4 comes back to the same bytes`() throws {
    let original = try SequenceState.read(try Samples.source(Samples.transposed))
    let version3 = try state(try original.exported(SequenceExportOptions(version: 3)))
    #expect(version3.sequenceOrigin.version == 3)
    #expect(version3.sequenceOrigin.rotation == nil)
    #expect(try version3.exported(SequenceExportOptions(version: 4)) == Samples.bytes(Samples.transposed))
  }

  @Test func `version 3 to 2 to 4 to 3 comes back to the same bytes`() throws {
    var current = try SequenceState.read(try Samples.source(Samples.version3))
    for version in [2, 4, 3] { current = try state(try current.exported(SequenceExportOptions(version: version))) }
    #expect(try current.exported() == Samples.bytes(Samples.version3))
  }

  @Test func `quantised rows get their rotation back only where it is told`() throws {
    let name = "smollm2-135m_48tok_q8_0_fa.v4.ggsq"
    let original = try SequenceState.read(try Samples.source(name))
    #expect(original.sequenceOrigin.rotation == CacheRotation(keys: 64, values: 64))
    let version3 = try state(try original.exported(SequenceExportOptions(version: 3)))
    let error = #expect(throws: StoreError.self) { try version3.exported(SequenceExportOptions(version: 4)) }
    #expect(error?.message.contains("rotation") == true)
    let options = SequenceExportOptions(version: 4, rotation: CacheRotation(keys: 64, values: 64))
    #expect(try version3.exported(options) == Samples.bytes(name))
    #expect(throws: StoreError.self) { try original.exported(SequenceExportOptions(isTransposed: true)) }
  }

  @Test func `values turn from one order to the other and back`() throws {
    let original = try SequenceState.read(try Samples.source(Samples.transposed))
    let turned = try state(try original.exported(SequenceExportOptions(isTransposed: false)))
    #expect(!turned.sequenceOrigin.isTransposed)
    for plane in original.planes.indices { #expect(try turned.rows(plane) == original.rows(plane, step: 7)) }
    #expect(try turned.exported(SequenceExportOptions(isTransposed: true)) == Samples.bytes(Samples.transposed))
  }

  @Test(arguments: [1, 100, 1000, 5000])
  func `values are turned in whatever memory there is`(_ workingByteCount: Int) throws {
    let bytes = try Samples.bytes(Samples.transposed)
    let original = try state(bytes)
    let small = try SequenceState.read(ByteSource(bytes: bytes), workingByteCount: 60 * workingByteCount)
    for plane in [29, 30, 59] {
      #expect(try small.rows(plane, step: 5) == original.rows(plane))
      #expect(try small.rows(plane, 30..<40) == original.rows(plane, 30..<40))
    }
    var options = SequenceExportOptions()
    options.workingByteCount = workingByteCount
    #expect(try original.exported(options) == bytes)
  }

  @Test func `a state moves to another stream, another sequence, and back`() throws {
    let name = "smollm2-135m_16tok_f16_fa_2streams_seq1.v4.ggsq"
    let original = try SequenceState.read(try Samples.source(name))
    let single = try state(try original.exported(SequenceExportOptions(streamCount: 1, sequenceID: 0)))
    #expect(single.sequenceOrigin.streamCount == 1)
    let four = try state(try single.exported(SequenceExportOptions(streamCount: 4, streamIndex: 3, sequenceID: 3)))
    #expect(four.sequenceOrigin.streamIndex == 3)
    #expect(try four.rows(5) == original.rows(5))
    #expect(
      try four.exported(SequenceExportOptions(streamCount: 2, streamIndex: 1, sequenceID: 1)) == Samples.bytes(name))
  }

  @Test func `containers are exchanged and come back`() throws {
    let original = try SequenceState.read(try Samples.source(Samples.transposed))
    let session = try state(
      try original.exported(SequenceExportOptions(container: .sessionFile, architecture: "llama")))
    #expect(session.sequenceOrigin.formatName == "llama.cpp session file, version 11")
    #expect(throws: StoreError.self) { try original.exported(SequenceExportOptions(container: .sessionFile)) }
    let blob = try session.exported(SequenceExportOptions(container: .memoryBlob))
    let named = try SequenceState.read(ByteSource(bytes: blob), tokens: session.tokens)
    #expect(try named.exported(SequenceExportOptions(container: .sequenceFile)) == Samples.bytes(Samples.transposed))
    let headerless = try state(
      try original.exported(SequenceExportOptions(container: .memoryBlob, hasBlobHeader: false)))
    #expect(headerless.sequenceOrigin.blobSequenceID == nil)
    #expect(headerless.sequenceOrigin.version == 4)
  }

  @Test func `a session of no file is written from a plain origin`() throws {
    let original = try SequenceState.read(try Samples.source(Samples.version3))
    let plain = SequenceOrigin.plain(version: 3)
    let writer = try SequenceStateWriter(
      origin: try SequenceOrigin(encoded: plain.encoded()), tokens: original.tokens, planes: original.planes)
    #expect(try writer.bytes(from: original) == Samples.bytes(Samples.version3))
    let byDefault = try EngineFile.writer(origin: [], tokens: original.tokens, planes: original.planes)
    #expect(try state(try byDefault.bytes(from: original)).sequenceOrigin.version == 4)
  }

  @Test func `planes in any order are written in llama.cpp's`() throws {
    let original = try SequenceState.read(try Samples.source(Samples.version3))
    let order = original.planes.indices.sorted {
      let (a, b) = (original.planes[$0].plane, original.planes[$1].plane)
      return (a.layer, a.kind.rawValue) < (b.layer, b.kind.rawValue)
    }
    let writer = try SequenceStateWriter(
      origin: original.sequenceOrigin, tokens: original.tokens, planes: order.map { original.planes[$0] })
    var bytes: [UInt8] = []
    try writer.write(
      to: { bytes += $0 },
      gather: { (plane, rows, destination) throws in
        try original.copyRows(plane: order[plane], rows: rows, into: destination)
      })
    #expect(try bytes == Samples.bytes(Samples.version3))
  }

  @Test func `a grown session continues positions, sequences and extension`() throws {
    for name in ["ggsq 4 plain", "ggsq 4 mrope", "ggsq 2 mrope", "slot file", "ggsn", "four streams"] {
      let short = try state(try state(try BuiltStates.named(name)).exported(SequenceExportOptions(tokenCount: 3)))
      let long = try state(try BuiltStates.named(name))
      let writer = try SequenceStateWriter(origin: short.sequenceOrigin, tokens: long.tokens, planes: long.planes)
      let grown = try writer.bytes(from: long)
      #expect(
        try grown
          == SequenceStateWriter(
            origin: long.sequenceOrigin, tokens: long.tokens, planes: long.planes
          ).bytes(from: long) || name == "slot file", "\(name)")
      #expect(try state(grown).tokens == long.tokens)
    }
    let holes = try state(try BuiltStates.named("a hole in the positions"))
    #expect(throws: StoreError.self) {
      try SequenceStateWriter(origin: holes.sequenceOrigin, tokens: holes.tokens + [1], planes: holes.planes)
    }
  }

  @Test func `a fork of the same length leaves the old tokens beyond the cells out`() throws {
    let original = try state(try BuiltStates.named("tokens beyond the cells"))
    var tokens = original.tokens
    tokens[4] = 77
    let fork = try SequenceStateWriter(origin: original.sequenceOrigin, tokens: tokens, planes: original.planes)
    let bytes = try fork.bytes(from: original)
    #expect(try bytes.count == BuiltStates.named("tokens beyond the cells").count - 8)
    #expect(try state(bytes).tokens == tokens)
  }

  @Test func `a fork of what cannot be cut is refused`() throws {
    let original = try state(try BuiltStates.named("sliding window"))
    var tokens = original.tokens
    tokens[2] = 77
    #expect(throws: StoreError.self) {
      try SequenceStateWriter(
        origin: original.sequenceOrigin, tokens: tokens, planes: original.planes,
        checkpoint: try original.readCheckpoint())
    }
  }

  @Test func `a damaged origin is refused, whichever byte it is`() throws {
    let origins = [
      try state(try BuiltStates.named("ggsq 4 mrope")).origin, try SafetensorsState.read(Fixtures.safetensors()).origin,
    ]
    for origin in origins {
      for index in origin.indices {
        var damaged = origin
        damaged[index] ^= 0x10
        #expect(throws: StoreError.self) {
          try EngineFile.writer(origin: damaged, tokens: [], planes: [], tokenCount: 0)
        }
        #expect(throws: StoreError.self) { try SequenceOrigin(encoded: Array(origin.prefix(index))) }
      }
    }
  }
}
