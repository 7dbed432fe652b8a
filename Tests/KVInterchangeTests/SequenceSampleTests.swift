import KVBlocks
import KVInterchange
import Testing

struct SequenceSampleTests {
  @Test(arguments: Samples.sequenceFiles)
  func `every sample is written again byte for byte`(_ name: String) throws {
    let state = try SequenceState.read(try Samples.source(name))
    #expect(state.tokensAreKnown)
    #expect(state.canBeCut)
    #expect(state.checkpointByteCount == 0)
    #expect(state.origin.count < 200, "regular cells take a few bytes")
    #expect(try state.exported() == Samples.bytes(name))
  }

  @Test(arguments: Samples.shortFiles)
  func `every prefix is a valid file with those cells`(_ name: String) throws {
    let state = try SequenceState.read(try Samples.source(name))
    let whole = try (0..<state.planes.count).map { try state.rows($0) }
    for count in 0...state.rowCount {
      let bytes = try state.exported(SequenceExportOptions(tokenCount: count))
      let prefix = try SequenceState.read(ByteSource(bytes: bytes))
      #expect(prefix.tokens == Array(state.tokens.prefix(count)))
      #expect(prefix.rowCount == count)
      #expect(prefix.tokensAreKnown)
      guard count > 0 else { continue }
      #expect(prefix.planes == state.planes)
      for plane in stride(from: 0, to: state.planes.count, by: count == 17 ? 1 : 13) {
        let size = state.planes[plane].rowByteCount
        #expect(try prefix.rows(plane) == Array(whole[plane].prefix(count * size)))
      }
    }
  }
}
