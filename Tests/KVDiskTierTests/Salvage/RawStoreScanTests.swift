import KVBlocks
import Testing

@testable import KVDiskTier

@Suite struct `the scan of a store's raw bytes` {
  /// Two sessions that share six blocks, one of them with a checkpoint and a record too long for a leaf page.
  private func makeStore() throws -> TestStore {
    let store = try TestStore(layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 1024, layerCount: 2))
    let long = tokens(0..<1_000)
    let short = tokens(0..<96) + tokens(0..<5, offset: 7_000)
    try store.store(store.chain(long))
    try store.store(store.chain(short))
    let checkpoint = [UInt8](repeating: 7, count: 300_000)
    let outcomes = try store.commit(
      store.put("long", long, checkpoint: .replace(checkpoint)), store.put("short", short))
    #expect(outcomes.allSatisfy { if case .done = $0 { true } else { false } })
    return store
  }

  /// Damages the file behind LMDB's back and scans it.
  private func scan(_ store: TestStore, damage: (inout [UInt8]) -> Void) throws -> RawStoreReport {
    var bytes = store.directory.contents()
    damage(&bytes)
    let copy = StoreDirectory()
    copy.write(bytes, to: "data.mdb")
    return try RawStoreScan.scan(path: copy.path)
  }

  @Test func `blocks, sessions and checkpoints are found without LMDB`() throws {
    let store = try makeStore()
    let report = try scan(store) { bytes in
      // No meta page, no trees: LMDB and the guard have nothing to begin with.
      for offset in 0..<8192 { bytes[offset] = 0 }
    }
    #expect(report.blocks.wholeCount == 64)
    #expect(report.blocks.damagedCount == 0)
    #expect(report.checkpoints.wholeCount == 1)
    #expect(report.sessions.map(\.name) == ["long", "short"])
    #expect(report.wholeSessionCount == 2)
    #expect(report.sessions[0].tokenCount == 1_000 && report.sessions[0].blockCount == 63)
    #expect(report.incompleteCount == 0 && report.unknownCount == 0)
  }

  @Test func `a flipped bit in a frame costs that block and is counted in its sessions`() throws {
    let store = try makeStore()
    let block = store.chain(tokens(0..<16))[0]
    let record = try #require(try store.tier.record(of: block.key))
    let report = try scan(store) { bytes in
      bytes[Self.place(of: record.frame.id, in: bytes) + record.frame.byteCount - 1] ^= 4
    }
    #expect(report.blocks.wholeCount == 63 && report.blocks.damagedCount == 1)
    #expect(report.sessions.map(\.missingBlockCount) == [1, 1])
    #expect(report.wholeSessionCount == 0)
  }

  @Test func `a cut file gives what lies before the cut`() throws {
    let store = try makeStore()
    let whole = try scan(store) { _ in }
    let half = try scan(store) { bytes in bytes.removeLast(bytes.count / 2) }
    #expect(half.blocks.wholeCount > 10)
    #expect(half.blocks.wholeCount < whole.blocks.wholeCount)
  }

  @Test func `noise of any kind never stops the scan`() throws {
    let store = try makeStore()
    for seed in 0..<UInt64(isLongRun ? 200 : 8) {
      let report = try scan(store) { bytes in
        var numbers = SeededNumbers(seed: seed)
        for _ in 0..<Int.random(in: 1...20_000, using: &numbers) {
          bytes[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
        }
      }
      #expect(report.blocks.wholeCount <= 64)
    }
  }

  /// Where the payload of the frame's first extent begins in the file.
  private static func place(of frame: UInt64, in bytes: [UInt8]) -> Int {
    stride(from: 0, to: bytes.count - 32, by: 4096).first { page in
      bytes.withUnsafeBytes { raw in
        raw.loadUnaligned(fromByteOffset: page + 16, as: UInt32.self) == ExtentFormat.magic
          && raw.loadUnaligned(fromByteOffset: page + 20, as: UInt16.self) == 0
          && raw.loadUnaligned(fromByteOffset: page + 24, as: UInt64.self) == frame
      }
    }! + 32
  }
}
