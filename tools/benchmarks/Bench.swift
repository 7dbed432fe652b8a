import KVBlocks
import KVPager

/// The cases for one shape.
final class Bench {
  let shape: Shape
  let folder: String
  let rounds: Int
  let rows: Rows
  let scratch: UnsafeMutableRawBufferPointer
  private var storeCount = 0

  init(shape: Shape, folder: String, samples: String, rounds: Int) throws {
    self.shape = shape
    self.folder = folder
    self.rounds = rounds
    rows = try Rows(
      sample: samples + "/" + shape.sample, planeCount: shape.planeCount, rowByteCount: shape.rowByteCount,
      tokenCount: shape.tokenCount)
    scratch = .allocate(byteCount: rows.byteCount, alignment: 64)
    rows.copy(into: scratch)
  }

  deinit { scratch.deallocate() }

  var cases: [(String, () throws -> Void)] {
    [
      ("ingest", ingest), ("resume", resume), ("gather", gather), ("lookup", lookup), ("decode", decode),
      ("open", open),
    ]
  }

  var tokens: [Token] { (0..<shape.tokenCount).map { Token($0 % 49_152) } }

  func layout(_ blockTokenCount: Int) throws -> BlockLayout {
    try BlockLayout(blockTokenCount: blockTokenCount, planes: rows.planes)
  }

  func newPath() -> String {
    storeCount += 1
    return "\(folder)/store-\(shape.planeCount)-\(storeCount)"
  }

  func space(_ store: Store, _ blockTokenCount: Int) throws -> CacheSpace {
    try store.cacheSpace(for: ModelFingerprint(model: shape.name), layout: try layout(blockTokenCount))
  }

  func append(_ tokens: [Token], to session: Session, from first: Int = 0) throws {
    try session.append(tokens) { writer in
      let range = first + writer.tokens.lowerBound..<first + writer.tokens.upperBound
      for plane in shape.planeIndices { writer.write(rows.rows(ofPlane: plane, range), toPlane: plane) }
    }
  }

  /// A closed store that holds one session of all rows.
  func filledStore(_ blockTokenCount: Int) throws -> String {
    let path = newPath()
    let store = try Store(at: path)
    let session = try space(store, blockTokenCount).createSession(named: "chat")
    try append(tokens, to: session)
    try session.commit()
    try store.close()
    return path
  }

  // MARK: Cases

  func ingest() throws {
    for count in shape.blockTokenCounts {
      let frames = try Frames(rows, layout: try layout(count))
      var store: Store?
      var path = ""
      let plainFile = folder + "/plain"
      var faults = 0
      try Measurement(
        title: "Ingest, \(shape.name), blocks of \(count): append all and commit",
        work: .bytes(rows.byteCount),
        arms: [
          Arm(name: "memcpy") { self.rows.copy(into: self.scratch) },
          Arm(name: "encode, 1 thread") { try frames.encodeAll(frames.raw.indices) },
          Arm(name: "plain file of the frames, written and synced") {
            System.writeFile(plainFile, frames.encoded.map { UnsafeRawBufferPointer($0) })
          },
          Arm(
            name: "append and commit",
            prepare: {
              try store?.close()
              System.remove(path)
              path = self.newPath()
              store = try Store(at: path)
            },
            body: {
              guard let store else { return }
              faults = System.minorFaults
              let session = try self.space(store, count).createSession(named: "chat")
              try self.append(self.tokens, to: session)
              try session.commit()
              faults = System.minorFaults - faults
            }),
        ]
      ).run(rounds: rounds)
      if let store {
        let disk = try store.statistics()
        print(
          "  \(frames.raw.count) blocks, frames \(frames.encodedByteCount) B "
            + "(\(Text.fixed(Double(rows.byteCount) / Double(frames.encodedByteCount), 3)) x); on disk beside frames "
            + "\((disk.disk.usedBytes - disk.disk.compressedBytes) / frames.raw.count) B a block; "
            + "\(disk.memory.transactionCount) transactions; \(faults / frames.raw.count) page faults a block")
        try store.close()
      }
      System.remove(path)
    }
  }

  func resume() throws {
    for count in shape.blockTokenCounts {
      let frames = try Frames(rows, layout: try layout(count))
      let path = try filledStore(count)
      var store: Store?
      let fresh = { UnsafeMutableRawBufferPointer.allocate(byteCount: self.rows.byteCount, alignment: 4096) }
      try Measurement(
        title: "Resume, \(shape.name), blocks of \(count): open, longestPrefix, lease of all (file in the page cache)",
        work: .bytes(rows.byteCount),
        arms: [
          Arm(name: "memcpy") { self.rows.copy(into: self.scratch) },
          Arm(name: "memcpy into fresh memory") {
            let memory = fresh()
            self.rows.copy(into: memory)
            memory.deallocate()
          },
          Arm(name: "decode, 1 thread") { try frames.decodeAll(frames.raw.indices) },
          Arm(name: "decode, 2 threads") {
            nonisolated(unsafe) let shared = frames  // because: each block is one thread's
            System.onTwoThreads { half in
              try? shared.decodeAll(stride(from: half, to: shared.raw.count, by: 2))
            }
          },
          Arm(
            name: "open, longestPrefix, lease",
            prepare: {
              try store?.close()
              store = nil
            },
            body: {
              let opened = try Store(at: path)
              let prefix = try self.space(opened, count).longestPrefix(of: self.tokens)
              let lease = try prefix.lease()
              precondition(lease.tokenCount == self.shape.tokenCount, "everything is there")
              store = opened
            }),
        ]
      ).run(rounds: rounds)
      try store?.close()
      System.remove(path)
    }
  }

  func gather() throws {
    for count in shape.blockTokenCounts {
      let layout = try layout(count)
      let frames = try Frames(rows, layout: layout)
      let path = try filledStore(count)
      let large = try Store(at: path)
      let hot = try space(large, count).longestPrefix(of: tokens)
      let lease = try hot.lease()
      func all(_ body: (Int, UnsafeMutableRawBufferPointer) throws -> Void) throws {
        var start = 0
        for plane in shape.planeIndices {
          let byteCount = shape.rowByteCount * shape.tokenCount
          try body(plane, UnsafeMutableRawBufferPointer(rebasing: scratch[start..<start + byteCount]))
          start += byteCount
        }
      }
      try Measurement(
        title: "Gather of all planes, \(shape.name), blocks of \(count)", work: .bytes(rows.byteCount),
        arms: [
          Arm(name: "memcpy") { self.rows.copy(into: self.scratch) },
          Arm(name: "decode, 1 thread") { try frames.decodeAll(frames.raw.indices) },
          Arm(name: "from a lease") { try all { lease.gather(plane: $0, into: $1) } },
          Arm(name: "from a prefix, resident") { try all { _ = try hot.gather(plane: $0, into: $1) } },
        ]
      ).run(rounds: rounds)
      try large.close()
      let tiny = try Store(
        at: path, configuration: StoreConfiguration(memoryBudgetBytes: 2 * layout.frameByteCount))
      let cold = try space(tiny, count).longestPrefix(of: tokens)
      try Measurement(
        title: "Gather of all planes from disk (RAM budget 2 blocks), \(shape.name), blocks of \(count)",
        work: .bytes(rows.byteCount),
        arms: [
          Arm(name: "decode, 1 thread") { try frames.decodeAll(frames.raw.indices) },
          Arm(name: "from a prefix, on disk") { try all { _ = try cold.gather(plane: $0, into: $1) } },
        ]
      ).run(rounds: rounds)
      try tiny.close()
      System.remove(path)
    }
  }

  func lookup() throws {
    guard shape.planeCount == Shape.small.planeCount else { return }
    for count in shape.blockTokenCounts {
      let path = try filledStore(count)
      let store = try Store(at: path)
      let space = try space(store, count)
      let hundred = Array(tokens.prefix(64 * count))
      let pinned = try space.longestPrefix(of: hundred).lease()
      let times = 20
      try Measurement(
        title: "Hot look-up of 64 resident blocks of \(count), \(times) times",
        work: .times(64 * times, of: "block"),
        arms: [
          Arm(name: "SHA-256 chain alone") {
            for _ in 0..<times {
              _ = ChainHash.hashes(ofFullBlocksIn: hundred, blockTokenCount: count, root: space.root)
            }
          },
          Arm(name: "longestPrefix") {
            for _ in 0..<times { _ = try space.longestPrefix(of: hundred) }
          },
          Arm(name: "longestPrefix and lease") {
            for _ in 0..<times { _ = try space.longestPrefix(of: hundred).lease() }
          },
        ]
      ).run(rounds: rounds)
      _ = pinned.tokenCount
      let prefix = try space.longestPrefix(of: hundred)
      try Measurement(
        title: "Pin and unpin 64 resident blocks of \(count), \(times) times", work: .times(64 * times, of: "block"),
        arms: [Arm(name: "lease") { for _ in 0..<times { _ = try prefix.lease() } }]
      ).run(rounds: rounds)
      try store.close()
      System.remove(path)
    }
  }

  func decode() throws {
    let count = 64
    let path = newPath()
    let store = try Store(at: path)
    let space = try space(store, count)
    var number = 0
    let plain = folder + "/small"
    var session = try space.createSession(named: "warm")
    try Measurement(
      title: "Token by token, \(shape.name): 512 tokens", work: .times(512, of: "token"),
      arms: [
        Arm(name: "memcpy of the rows") {
          for token in 0..<512 {
            for plane in self.shape.planeIndices {
              UnsafeMutableRawBufferPointer(
                rebasing: self.scratch[
                  (plane * 512 + token) * self.shape.rowByteCount..<(plane * 512 + token + 1) * self.shape.rowByteCount]
              )
              .copyMemory(from: self.rows.rows(ofPlane: plane, token..<token + 1))
            }
          }
        },
        Arm(
          name: "append of one token",
          prepare: {
            number += 1
            session = try space.createSession(named: "chat-\(number)")
            try session.append([Token(-number)]) { writer in
              for plane in self.shape.planeIndices {
                writer.write(self.rows.rows(ofPlane: plane, 0..<1), toPlane: plane)
              }
            }
          },
          body: {
            for token in 0..<512 { try self.append([Token(token)], to: session, from: token) }
          }),
      ]
    ).run(rounds: rounds)
    try session.commit()
    try Measurement(
      title: "Commit of one new token, \(shape.name)", work: .times(1, of: "commit"),
      arms: [
        Arm(name: "8 KiB written and synced, twice") { System.writeTwice(plain) },
        Arm(name: "append of one token and commit") {
          try self.append([7], to: session, from: 7)
          try session.commit()
        },
      ]
    ).run(rounds: rounds * 4)
    try store.close()
    System.remove(path)
  }

  func open() throws {
    let path = try filledStore(16)
    var store: Store?
    try Measurement(
      title: "Open, \(shape.name): a store of \(rows.byteCount >> 20) MiB of rows in blocks of 16",
      work: .times(1, of: "open"),
      arms: [
        Arm(
          name: "open, the guard included", prepare: { try store?.close() }, body: { store = try Store(at: path) })
      ]
    ).run(rounds: rounds * 4)
    try store?.close()
    System.remove(path)
  }
}

extension Shape {
  var planeIndices: Range<Int> { 0..<planeCount }
}
