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

  /// The rows of a session's first tokens, plane after plane.
  private func rows(of session: Session, _ count: Int) throws -> [[UInt8]] {
    let layout = session.space.layout
    return try layout.planes.indices.map { plane in
      var bytes = [UInt8](repeating: 0, count: layout.planes[plane].rowByteCount * count)
      try bytes.withUnsafeMutableBytes { try session.gather(plane: plane, tokens: 0..<count, into: $0) }
      return bytes
    }
  }

  @Test(arguments: [40, 64, 100]) func `a tail of equal tokens and other rows stays what it is`(count: Int) throws {
    let planes = (0..<2).map {
      PlaneLayout(Plane($0 == 0 ? .keys : .values, layer: 0), elementType: .f16, rowByteCount: 64)
    }
    let layout = try BlockLayout(blockTokenCount: 64, planes: planes)
    let folder = TemporaryFolder()
    let store = try Store(at: folder.store)
    let space = try store.cacheSpace(for: ModelFingerprint(model: "m"), layout: layout)
    func importRows(_ name: String, _ byte: UInt8, _ count: Int) throws -> Session {
      let session = try space.createSession(named: name)
      try session.append(tokens(0..<count), sharing: .byContent) { writer in
        for plane in planes.indices {
          writer.withUnsafeRows(ofPlane: plane) { _ = $0.initializeMemory(as: UInt8.self, repeating: byte) }
        }
      }
      try session.commit()
      return session
    }
    let lengths = [count, count - 1, count - 30]
    for length in lengths { _ = try importRows("first \(length)", 1, length) }
    let other = try importRows("other", 2, count)
    #expect(try rows(of: other, count) == [[UInt8]](repeating: [UInt8](repeating: 2, count: 64 * count), count: 2))
    for length in lengths {
      let fork = try other.fork(named: "fork \(length)", tokenCount: length)
      try fork.commit()
      let whole = try rows(of: other, length)
      #expect(try rows(of: fork, length) == whole)
      let forkOfFork = try fork.fork(named: "fork of \(length)", tokenCount: length - 2)
      try forkOfFork.truncate(to: length - 5)
      try forkOfFork.commit()
      #expect(try rows(of: forkOfFork, length - 5).flatMap { $0 }.allSatisfy { $0 == 2 })
    }
    // Equal rows are shared all the same.
    let before = try store.statistics().disk.uniqueBlockCount
    _ = try importRows("again", 2, count)
    #expect(try store.statistics().disk.uniqueBlockCount == before)
    #expect(try store.audit().isEmpty)
    try store.close()
  }
}
