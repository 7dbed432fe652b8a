import KVBlocks
import KVInterchange
import Testing

enum Fixtures {
  /// Two layers, three tokens, with metadata and an escape, padded.
  static func safetensors() -> ByteSource {
    let layout =
      #"{"__metadata__":{"a\u00e9":"\"b\""},"layers.0.k":{"dtype":"F16","shape":[3,2,2],"data_offsets":[0,24]},"#
      + #""layers.0.v":{"dtype":"F16","shape":[3,4],"data_offsets":[24,48]},"#
      + #""token_ids":{"dtype":"I32","shape":[3],"data_offsets":[48,60]}}   "#
    return file(layout, dataByteCount: 60)
  }

  static func file(_ header: String, dataByteCount: Int) -> ByteSource {
    var builder = StateBuilder()
    builder.u64(header.utf8.count)
    builder.bytes += header.utf8
    builder.bytes += (0..<dataByteCount).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    return ByteSource(bytes: builder.bytes)
  }
}

struct SafetensorsTests {
  private func written(
    _ state: some ImportedState, tokenCount: Int? = nil, format: EngineFile.Format = .asImported
  ) throws -> [UInt8] {
    try EngineFile.writer(
      origin: state.origin, tokens: state.tokens, planes: state.planes, checkpoint: try state.readCheckpoint(),
      tokenCount: tokenCount, format: format
    ).bytes(from: state)
  }

  @Test func `the sample is written again byte for byte`() throws {
    let state = try SafetensorsState.read(try Samples.source(Samples.safetensors))
    #expect(state.rowCount == 512)
    #expect(state.planes.count == 60)
    #expect(try written(state) == Samples.bytes(Samples.safetensors))
  }

  @Test func `the sample's rows are those of the sequence file`() throws {
    let tensors = try EngineFile.read(try Samples.source(Samples.safetensors))
    let sequence = try EngineFile.read(try Samples.source(Samples.long))
    #expect(tensors.tokens == sequence.tokens)
    #expect(tensors.planes == sequence.planes)
    for plane in tensors.planes.indices { #expect(try tensors.rows(plane) == sequence.rows(plane)) }
  }

  @Test func `a prefix keeps names, shapes and metadata`() throws {
    let state = try SafetensorsState.read(try Samples.source(Samples.safetensors))
    let bytes = try written(state, tokenCount: 100)
    let prefix = try SafetensorsState.read(ByteSource(bytes: bytes))
    #expect(prefix.tokens == Array(state.tokens.prefix(100)))
    #expect(prefix.planes == state.planes)
    for plane in [0, 29, 30, 59] { #expect(try prefix.rows(plane) == state.rows(plane, 0..<100)) }
    let header = String(decoding: bytes.prefix(6000), as: UTF8.self)
    #expect(header.contains(#""shape":[100,3,64]"#))
    #expect(header.contains("SmolLM2-135M-Instruct"))
    #expect(try written(prefix) == bytes)
  }

  @Test func `a llama.cpp state leaves as safetensors and comes back`() throws {
    for name in Samples.sequenceFiles {
      let state = try SequenceState.read(try Samples.source(name))
      let bytes = try written(state, format: .safetensors(headCount: 3))
      let tensors = try SafetensorsState.read(ByteSource(bytes: bytes))
      #expect(tensors.planes == state.planes, "\(name)")
      #expect(tensors.tokens == state.tokens)
      for plane in [0, 31, 59] { #expect(try tensors.rows(plane) == state.rows(plane)) }
      if !name.contains("q8_0") {
        #expect(String(decoding: bytes.prefix(4000), as: UTF8.self).contains("[\(state.rowCount),3,64]"))
      }
      let options = SequenceExportOptions(
        version: state.sequenceOrigin.version, isTransposed: state.sequenceOrigin.isTransposed,
        streamCount: state.sequenceOrigin.streamCount, streamIndex: state.sequenceOrigin.streamIndex,
        sequenceID: name.contains("seq1") ? 1 : 0, rotation: state.sequenceOrigin.rotation)
      #expect(try written(tensors, format: .sequenceState(options)) == Samples.bytes(name), "\(name)")
    }
  }

  @Test func `shapes must be divisible into heads`() throws {
    let state = try SequenceState.read(try Samples.source(Samples.version3))
    #expect(throws: StoreError.self) { try written(state, format: .safetensors(headCount: 5)) }
    #expect(throws: StoreError.self) { try written(state, format: .safetensors(headCount: 0)) }
  }

  @Test func `a small file with metadata and padding is written again`() throws {
    let source = Fixtures.safetensors()
    let state = try SafetensorsState.read(source)
    #expect(try written(state) == source.everything())
    let prefix = try SafetensorsState.read(ByteSource(bytes: try written(state, tokenCount: 0)))
    #expect(prefix.rowCount == 0)
  }

  @Test(arguments: [
    ("[]", "must begin with"),
    (#"{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"a":{}}"#, "stands twice"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]}}"#, "without holes"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,2],"data_offsets":[0,8]}}"#, "another size"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}"#, "tensors take 4 bytes"),
    (#"{"layers.0.k":{"dtype":"F13","shape":[1,4],"data_offsets":[0,8]}}"#, "unknown dtype"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8],"x":1}}"#, "unknown or double field"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,4],"data_offsets":[0]}}"#, "two data_offsets"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#, "must be [tokens"),
    (#"{"layers.0.k":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}"#, "must be [tokens"),
    (#"{"layers.00.k":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8]}}"#, "none of layers.N.k"),
    (#"{"0.0":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8]}}"#, "none of layers.N.k"),
    (#"{"layers.0.v":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8]}}"#, "must be the same"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#, "another size"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[-1,4],"data_offsets":[0,8]}}"#, "whole number"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[01,4],"data_offsets":[0,8]}}"#, "leading zero"),
    (#"{"layers.0.k":{"dtype":"F16","shape":[1,99999999999999999999],"data_offsets":[0,8]}}"#, "63 bits"),
    (#"{"__metadata__":{"a":1}}"#, "expected"),
    (#"{"__metadata__":{"a":"\ud800"}}"#, "surrogate"),
    (#"{"__metadata__":{"a":"\x"}}"#, "unknown escape"),
    (#"{} x"#, "text after its end"),
    (#"{ "#, "expected"),
    (#"{"token_ids":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}"#, "no layers.N.k"),
  ])
  func `a malformed header is refused with the reason`(_ header: String, _ reason: String) throws {
    let source = Fixtures.file(header, dataByteCount: 8)
    let error = #expect(throws: FormatError.self) { try SafetensorsState.read(source) }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    #expect((0...source.byteCount).contains(error?.offset ?? -1))
  }

  @Test func `a header longer than its file is refused before it is read`() throws {
    for length in [UInt64.max, 1 << 40, 100_000_001, 3, 1, 0] {
      var builder = StateBuilder()
      withUnsafeBytes(of: length.littleEndian) { builder.bytes += $0 }
      builder.bytes += Array("{}".utf8)
      #expect(throws: FormatError.self) { try SafetensorsState.read(ByteSource(bytes: builder.bytes)) }
    }
  }
}
