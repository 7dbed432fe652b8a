import Foundation
import KVInterchange
import KVPager
import KVSimulation
import Testing

@testable import PagedAttention

/// Attention over a real model's keys and values, SmolLM2-135M's from data/samples, on leased frames where they lie.
@Suite struct RealRowsTests {
  private static func state(_ name: String) throws -> SequenceState {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return try SequenceState.read(ByteSource(path: "/\(root)/data/samples/\(name)"))
  }

  /// Queries as such a head might ask them: a key of its own group that it looks for, and something else besides.
  private static func queries(
    _ shape: AttentionShape, _ rows: PagedRows, count: Int, _ random: inout SplitMix64
  ) -> [Float] {
    var queries: [Float] = []
    for _ in 0..<count {
      for head in 0..<shape.queryHeadCount {
        let token = Int(random.next() % UInt64(rows.tokenCount))
        let row =
          rows.frames[token / rows.blockTokenCount] + rows.keyOffset
          + token % rows.blockTokenCount * shape.rowByteCount
        let first = head / (shape.queryHeadCount / shape.keyValueHeadCount) * shape.headSize
        queries += (0..<shape.headSize).map {
          Float(AttentionReference.element(row, first + $0, shape.elementType)) + ScatteredRows.value(&random)
        }
      }
    }
    return queries
  }

  @Test(arguments: ["smollm2-135m_512tok_f16_fa.v4.ggsq", "smollm2-135m_48tok_bf16_fa.v4.ggsq"])
  func `attention over leased frames of a real cache agrees with double precision`(sample: String) throws {
    let state = try Self.state(sample)
    let layout = try BlockLayout(blockTokenCount: 16, planes: state.planes)
    let folder = TemporaryFolder()
    var configuration = StoreConfiguration()
    configuration.mapSizeBytes = 1 << 34
    let store = try Store(at: folder.store, configuration: configuration)
    let space = try store.cacheSpace(for: ModelFingerprint(model: "SmolLM2-135M"), layout: layout)
    let all = tokens(0..<state.rowCount)
    try space.insert(all) { writer in
      for plane in layout.planes.indices {
        try writer.withUnsafeRows(ofPlane: plane) { try state.copyRows(plane: plane, rows: writer.tokens, into: $0) }
      }
    }
    let prefix = try space.longestPrefix(of: all)
    #expect(prefix.tokenCount == all.count)
    let lease = try prefix.lease()
    let sequence = try SequencePool(space).start(from: prefix)
    for layer in [0, 14, 29] {
      let keys = try #require(layout.index(of: Plane(.keys, layer: layer)))
      let values = try #require(layout.index(of: Plane(.values, layer: layer)))
      let shape = try AttentionShape(
        elementType: layout.planes[keys].elementType, headSize: 64, queryHeadCount: 9, keyValueHeadCount: 3)
      #expect(shape.rowByteCount == layout.planes[keys].rowByteCount)
      func rows(_ frames: [UnsafeRawPointer]) -> PagedRows {
        PagedRows(
          blockTokenCount: 16, tokenCount: all.count, unsafeFrames: frames, keysAt: layout.planeOffset(keys),
          valuesAt: layout.planeOffset(values))
      }
      let leased = rows(lease.unsafeFrames)
      var random = SplitMix64(seed: UInt64(layer))
      let queries = Self.queries(shape, leased, count: 3, &random)
      let attention = try PagedAttention(shape, threadCount: 2)
      var outputs = [Float](repeating: .nan, count: queries.count)
      var span = outputs.mutableSpan
      attention.prefill([leased], queryTokenCounts: [3], queries: queries.span, outputs: &span)
      let error = AttentionReference.error(
        of: outputs[...], queries: queries[...], leased, shape, positions: all.count - 3..<all.count)
      #expect(error < 1e-5, "layer \(layer): \(error)")
      let last = Array(queries.suffix(shape.queryCount))
      var decoded = [Float](repeating: .nan, count: last.count)
      var decodedSpan = decoded.mutableSpan
      attention.decode([leased], queries: last.span, outputs: &decodedSpan)
      let decodeError = AttentionReference.error(
        of: decoded[...], queries: last[...], leased, shape, positions: all.count - 1..<all.count)
      #expect(decodeError < 1e-5, "layer \(layer): \(decodeError)")
      // A sequence in flight holds the same frames, and gets the same answer to the bit.
      var running = [Float](repeating: .nan, count: last.count)
      var runningSpan = running.mutableSpan
      attention.decode([rows(sequence.unsafeFrames)], queries: last.span, outputs: &runningSpan)
      #expect(running == decoded)
    }
    sequence.free()
    _ = consume lease
    try store.close()
  }
}
