import KVBlocks
import KVInterchange
import Testing

/// States in the caller's memory: read where they lie, written to where they are wanted.
struct MemoryTests {
  private func writer(
    _ state: SequenceState, _ options: SequenceExportOptions = SequenceExportOptions()
  ) throws -> SequenceStateWriter {
    try SequenceStateWriter(
      origin: state.sequenceOrigin, tokens: state.tokens, planes: state.planes, checkpoint: try state.readCheckpoint(),
      options: options)
  }

  @Test(arguments: Samples.sequenceFiles)
  func `a state is written into memory as it is into a file`(_ name: String) throws {
    let state = try SequenceState.read(try Samples.source(name))
    #expect(try writer(state).bytesInPlace(from: state) == Samples.bytes(name))
  }

  @Test(arguments: [1, 4_000, 40_000, 1 << 20])
  func `channels are made in whatever memory there is`(_ workingByteCount: Int) throws {
    let state = try SequenceState.read(try Samples.source(Samples.transposed))
    var options = SequenceExportOptions()
    options.workingByteCount = workingByteCount
    #expect(try writer(state, options).bytesInPlace(from: state) == Samples.bytes(Samples.transposed))
  }

  @Test(arguments: [1, 3, 4, 31, 33, 47, 48])
  func `each element of a transposed plane stands where its channel and its token say`(_ tokenCount: Int) throws {
    let state = try SequenceState.read(try Samples.source(Samples.transposed))
    let bytes = try writer(state, SequenceExportOptions(tokenCount: tokenCount)).bytesInPlace(from: state)
    // The last layer's values end the file.
    let rows = try state.rows(state.planes.count - 1, 0..<tokenCount)
    let channels = Array(bytes.suffix(rows.count))
    let channelCount = rows.count / tokenCount / 2
    for channel in 0..<channelCount {
      for token in 0..<tokenCount {
        let (here, there) = (2 * (channel * tokenCount + token), 2 * (token * channelCount + channel))
        #expect(channels[here] == rows[there] && channels[here + 1] == rows[there + 1])
      }
    }
    // The rows are the file's own, by its layout alone: where all are written, the two files end alike.
    let file = try Samples.bytes(Samples.transposed)
    #expect(tokenCount < 48 || channels == Array(file.suffix(rows.count)))
  }

  @Test func `all planes are asked for at one time, and each once`() throws {
    let state = try SequenceState.read(try Samples.source(Samples.long))
    let export = try writer(state)
    var calls: [[Int]] = []
    var bytes = [UInt8](repeating: 0, count: export.byteCount)
    bytes.withUnsafeMutableBytes { buffer in
      export.write(into: buffer) { _, destinations in calls.append(destinations.map(\.plane)) }
    }
    #expect(calls == [Array(state.planes.indices)])
  }

  @Test func `a large part that cannot be cut is handed on where it lies`() throws {
    var file = StateBuilder()
    file.file(words: StateBuilder.tokens(5))
    file.u32(1)
    file.stream(StateBuilder.cells(5))
    file.u32(1)
    let rows = StateBuilder.Rows(rowByteCount: 40_000)
    file.stream(StateBuilder.cells(5), layers: 3, keys: rows, values: rows, seed: 40)
    let state = try SequenceState.read(ByteSource(bytes: file.bytes))
    let checkpoint = try state.readCheckpoint()
    #expect(checkpoint.count > 1 << 20)
    let export = try SequenceStateWriter(
      origin: state.sequenceOrigin, tokens: state.tokens, planes: state.planes, checkpoint: checkpoint)
    #expect(try export.bytesInPlace(from: state) == file.bytes)
    var handedOn: [UnsafeRawBufferPointer] = []
    try export.write(
      to: { handedOn.append($0) },
      gather: { plane, rows, target in try state.copyRows(plane: plane, rows: rows, into: target) })
    let isThere = checkpoint.withUnsafeBytes { bytes in
      handedOn.contains { $0.baseAddress == bytes.baseAddress && $0.count == bytes.count }
    }
    #expect(isThere)
  }

  @Test func `safetensors are written into memory too`() throws {
    let source = try Samples.source(Samples.safetensors)
    let state = try EngineFile.read(source)
    let export = try EngineFile.writer(origin: state.origin, tokens: state.tokens, planes: state.planes)
    func written(_ state: some ImportedState) throws -> [UInt8] { try export.bytesInPlace(from: state) }
    #expect(try written(state) == Samples.bytes(Samples.safetensors))
  }

  @Test func `a state is read where it lies`() throws {
    let bytes = try Samples.bytes(Samples.version3)
    try bytes.withUnsafeBytes { memory in
      let state = try SequenceState.read(ByteSource(borrowing: memory))
      #expect(try writer(state).bytesInPlace(from: state) == bytes)
    }
  }

  @Test(arguments: Samples.shortFiles)
  func `a whole context's state is a session file without what stands before the architecture`(_ name: String) throws {
    let original = try SequenceState.read(try Samples.source(name))
    let file = try original.exported(SequenceExportOptions(container: .sessionFile, architecture: "llama"))
    let context = Array(file[(12 + 4 * original.tokens.count)...])
    let state = try SequenceState.read(ByteSource(bytes: context), tokens: original.tokens)
    #expect(state.sequenceOrigin.container == .contextBlob)
    #expect(state.tokens == original.tokens && state.tokensAreKnown)
    #expect(state.planes == original.planes)
    #expect(try state.exported() == context)
    #expect(try original.exported(SequenceExportOptions(container: .contextBlob, architecture: "llama")) == context)
    // Sessions of one model share blocks, whichever container they came in.
    #expect(state.fingerprintSettings["llama.v_trans"] == original.fingerprintSettings["llama.v_trans"])
    #expect(Set(state.fingerprintSettings.keys).isSubset(of: original.fingerprintSettings.keys))
  }

  @Test func `a prefix is written for the context that another state came from`() throws {
    let state = try SequenceState.read(try Samples.source(Samples.transposed))
    var options = state.exportOptions
    options.tokenCount = 20
    let cut = try state.exported(SequenceExportOptions(tokenCount: 20))
    let prefix = try SequenceStateWriter(
      origin: .plain(), tokens: Array(state.tokens.prefix(20)), planes: state.planes, options: options)
    #expect(try prefix.bytesInPlace(from: state) == cut)
  }
}
