import KVBlocks
import KVInterchange
import Testing

struct BuiltStateTests {
  @Test(arguments: BuiltStates.names)
  func `every shape of state is written again byte for byte`(_ name: String) throws {
    let bytes = try BuiltStates.named(name)
    let state = try SequenceState.read(ByteSource(bytes: bytes))
    #expect(try state.exported() == bytes)
    #expect(state.tokens.count == state.rowCount)
    #expect(state.canBeCut == !BuiltStates.uncuttableNames.contains(name))
    for (index, layout) in state.planes.enumerated() where state.rowCount > 0 {
      let seed = layout.plane.layer + (layout.plane.kind == .keys ? 0 : 100)
      let expected = StateBuilder.rows(seed: seed, rowCount: state.rowCount, rowByteCount: layout.rowByteCount)
      #expect(try state.rows(index, step: 2) == expected)
    }
  }

  @Test(arguments: BuiltStates.names.filter { !BuiltStates.uncuttableNames.contains($0) })
  func `a prefix of every shape that can be cut is a valid state`(_ name: String) throws {
    let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named(name)))
    for count in 0..<state.rowCount {
      let bytes = try state.exported(SequenceExportOptions(tokenCount: count))
      let given = state.tokensAreKnown ? Array(state.tokens.prefix(count)) : nil
      let prefix = try SequenceState.read(ByteSource(bytes: bytes), tokens: given)
      #expect(prefix.rowCount == count)
      #expect(prefix.tokens == Array(state.tokens.prefix(count)))
      #expect(prefix.sequenceOrigin.container == state.sequenceOrigin.container)
      #expect(try prefix.exported() == bytes)
      for plane in prefix.planes.indices where count > 0 {
        #expect(try prefix.rows(plane) == state.rows(plane, 0..<count))
      }
    }
  }

  @Test(arguments: BuiltStates.uncuttableNames)
  func `a prefix of what cannot be cut is refused with the reason`(_ name: String) throws {
    let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named(name)))
    #expect(!state.canBeCut)
    guard state.rowCount > 0 else { return }
    let error = #expect(throws: StoreError.self) { try state.exported(SequenceExportOptions(tokenCount: 3)) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("only the \(state.rowCount) tokens") == true)
  }

  @Test(arguments: ["sliding window", "hybrid", "recurrent alone", "two sequences in streams"])
  func `what cannot be cut lies in the checkpoint`(_ name: String) throws {
    let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named(name)))
    #expect(state.checkpointByteCount > 0)
    #expect(try state.readCheckpoint().count == state.checkpointByteCount)
    #expect(throws: StoreError.self) {
      try SequenceStateWriter(origin: state.sequenceOrigin, tokens: state.tokens, planes: state.planes)
    }
    #expect(throws: StoreError.self) { try state.exported(SequenceExportOptions(version: 3)) }
    #expect(throws: StoreError.self) { try state.exported(SequenceExportOptions(streamCount: 8)) }
  }

  @Test func `the version of a blob is found by trying`() throws {
    for version in [2, 3, 4] {
      let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named("blob \(version) mrope with header")))
      #expect(state.sequenceOrigin.version == version)
      #expect(state.sequenceOrigin.blobSequenceID == 3)
      #expect(!state.tokensAreKnown)
    }
    let plain = try SequenceState.read(ByteSource(bytes: try BuiltStates.named("blob 4 plain without header")))
    #expect(plain.sequenceOrigin.version == 4)
  }

  @Test func `a blob that begins like a safetensors header is read as a blob`() throws {
    var blob = StateBuilder()
    blob.u32(2)
    blob.stream([])
    blob.stream(StateBuilder.cells(123, sequence: 1))
    let state = try EngineFile.read(ByteSource(bytes: blob.bytes))
    #expect(state.rowCount == 123)
    #expect(try (state as? SequenceState)?.exported() == blob.bytes)
  }

  @Test func `a blob's tokens can be given`() throws {
    let bytes = try BuiltStates.named("blob 4 plain with header")
    let tokens = StateBuilder.tokens(9)
    let state = try SequenceState.read(ByteSource(bytes: bytes), tokens: tokens)
    #expect(state.tokensAreKnown)
    #expect(state.tokens == Array(tokens.prefix(5)))
    #expect(try state.exported() == bytes)
    let file = try state.exported(SequenceExportOptions(container: .sequenceFile, sequenceID: 0))
    #expect(try file == BuiltStates.named("ggsq 4 plain"))
  }

  @Test func `states whose tokens do not tell the rows say so`() throws {
    for name in ["fewer tokens than cells", "a hole in the positions", "media", "two sequences in one stream"] {
      #expect(try !SequenceState.read(ByteSource(bytes: try BuiltStates.named(name))).tokensAreKnown, "\(name)")
    }
    for name in ["slot file", "tokens beyond the cells", "four streams", "ggsn", "sliding window"] {
      #expect(try SequenceState.read(ByteSource(bytes: try BuiltStates.named(name))).tokensAreKnown, "\(name)")
    }
  }

  @Test func `a slot file's prefix keeps the server's serialisation`() throws {
    let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named("slot file")))
    let bytes = try state.exported(SequenceExportOptions(tokenCount: 2))
    var expected = StateBuilder()
    expected.file(words: [-1, 1, 2, 1000, 1001, 0])
    #expect(bytes.starts(with: expected.bytes))
  }

  @Test func `outputs are dropped from a cut session file`() throws {
    let state = try SequenceState.read(ByteSource(bytes: try BuiltStates.named("ggsn with outputs")))
    #expect(state.canBeCut)
    #expect(state.checkpointByteCount == 4 + 4 + 8 + 12 + 8)
    let prefix = try SequenceState.read(ByteSource(bytes: try state.exported(SequenceExportOptions(tokenCount: 4))))
    #expect(prefix.checkpointByteCount == 20)
    #expect(prefix.rowCount == 4)
  }
}
