import KVInterchange
import KVPager
import KVSimulation
import Testing

/// A real model's rows: SmolLM2-135M, f16, 512 tokens, from data/samples.
private func sample() throws -> SequenceState {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let path = "/\(root)/data/samples/smollm2-135m_512tok_f16_fa.v4.ggsq"
  return try SequenceState.read(ByteSource(path: path))
}

@Suite struct SharingTests {
  @Test(arguments: [16, 64]) func `twenty sessions on one prompt store it once`(blockTokenCount: Int) throws {
    let state = try sample()
    let layout = try BlockLayout(blockTokenCount: blockTokenCount, planes: state.planes)
    let folder = TemporaryFolder()
    var configuration = StoreConfiguration()
    configuration.memoryBudgetBytes = layout.frameByteCount * 8
    configuration.writeBatchBytes = 16 << 20
    let store = try Store(at: folder.store, configuration: configuration)
    let space = try store.cacheSpace(for: ModelFingerprint(model: "SmolLM2-135M"), layout: layout)
    for number in 0..<20 {
      let all = tokens(0..<1500) + (0..<100).map { Token(10_000 * (number + 1) + $0) }
      let prefix = try space.longestPrefix(of: all)
      #expect(prefix.tokenCount == (number == 0 ? 0 : 1500))
      let session = try space.createSession(named: "chat \(number)", startingWith: all, from: prefix)
      let first = prefix.tokenCount
      try session.append(Array(all[first...])) { writer in
        for plane in layout.planes.indices {
          try writer.withUnsafeRows(ofPlane: plane) { bytes in
            let rowByteCount = layout.planes[plane].rowByteCount
            // The sample's rows in turn; a session's own tokens begin elsewhere in them.
            for (index, token) in writer.tokens.enumerated() {
              let position = first + token
              let row = (position < 1500 ? position : position + 37 * number) % 512
              let target = UnsafeMutableRawBufferPointer(
                rebasing: bytes[index * rowByteCount..<(index + 1) * rowByteCount])
              try state.copyRows(plane: plane, rows: row..<row + 1, into: target)
            }
          }
        }
      }
      try session.commit()
    }
    let disk = try store.statistics().disk
    let shared = 1500 / blockTokenCount
    let blocks = (1600 + blockTokenCount - 1) / blockTokenCount
    #expect(disk.sessionCount == 20)
    #expect(disk.uniqueBlockCount == shared + 20 * (blocks - shared))
    #expect(disk.blockReferenceCount == 20 * blocks)
    let sharedTokens = shared * blockTokenCount
    #expect(disk.uniqueBytes == layout.tokenByteCount * (sharedTokens + 20 * (1600 - sharedTokens)))
    #expect(disk.logicalBytes == layout.tokenByteCount * 20 * 1600)
    // On disk: what the frames add up to, and at most 2% for tables, page ends and pages between transactions.
    #expect(disk.fileBytes >= disk.compressedBytes)
    #expect(Double(disk.fileBytes) <= Double(disk.compressedBytes) * 1.02, "\(disk)")
    #expect(try store.audit().isEmpty)
    try store.close()
  }
}
