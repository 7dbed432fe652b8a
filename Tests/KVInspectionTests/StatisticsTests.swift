import Foundation
import KVBlocks
import KVDiskTier
import KVSimulation
import Testing

@testable import KVInspection

/// Figures of `InspectedStore`: three sessions of 132 tokens, 96 of them common, in blocks of 16; 4 planes of 512 bytes
/// a row; the last block of each session has 4 tokens.
@Suite struct StatisticsTests {
  let store: InspectedStore
  let inspector: StoreInspector

  init() throws {
    store = try InspectedStore()
    inspector = StoreInspector(path: store.path)
  }

  @Test func `planes are counted from the frames' headers`() throws {
    let statistics = try inspector.statistics(detail: .exact)
    let planes = try #require(statistics.planes)
    #expect(!planes.isSampled && planes.readFrameCount == 15 && planes.damagedFrameCount == 0)
    #expect(planes.entries.map(\.plane) == store.space.layout.planes.map(\.plane))
    #expect(planes.entries.allSatisfy { $0.rawByteCount == (96 + 3 * 36) * 512 && $0.elementType == .bf16 })
    let stored = planes.entries.reduce(0) { $0 + $1.storedByteCount }
    #expect(stored + planes.headerByteCount == statistics.compressedByteCount)
    #expect(planes.entries.allSatisfy { $0.codecs.values.reduce(0, +) == 15 })
    let kinds = planes.sums { $0.plane.kind }
    #expect(kinds.map(\.key) == [.keys, .values] && kinds.allSatisfy { $0.rawByteCount == 204 * 1024 })
  }

  @Test func `a sample is even, scaled and said to be one`() throws {
    let exact = try #require(try inspector.statistics(detail: .exact).planes)
    let sampled = try #require(try inspector.statistics(detail: .sampled(frameLimit: 5)).planes)
    #expect(sampled.isSampled && sampled.readFrameCount == 5 && sampled.frameCount == 15)
    #expect(sampled.entries.map(\.rawByteCount) == exact.entries.map(\.rawByteCount))
    for (a, b) in zip(sampled.entries, exact.entries) {
      #expect(abs(a.storedByteCount - b.storedByteCount) < b.storedByteCount / 2)
    }
    let json = try inspector.statistics(detail: .sampled(frameLimit: 5)).json.text()
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let planes = try #require(parsed["planes"] as? [String: Any])
    #expect(planes["sampled"] as? [String: Int] == ["frames": 5, "of": 15])
    #expect(try inspector.statistics(detail: .records).planes == nil)
  }

  @Test func `blocks are sorted by the sessions that hold them`() throws {
    let sharing = try inspector.statistics().sharing
    #expect(sharing.bins.map(\.sessions) == [0...0, 1...1, 2...3])
    #expect(sharing.bins.map(\.count.blockCount) == [0, 9, 6])
    #expect(sharing.bins.map(\.count.uniqueByteCount) == [0, 3 * 36 * 2048, 96 * 2048])
    #expect(sharing.mostSessions == 3)
  }

  @Test(
    arguments: [
      (1_000, AgeHistogram.Age.minute), (59_000_000, .minute), (61_000_000, .hour), (3_601_000_000, .day),
      (86_401_000_000, .week), (604_801_000_000, .month), (2_592_001_000_000, .older),
    ] as [(UInt64, AgeHistogram.Age)])
  func `blocks are sorted by their last use`(now: UInt64, age: AgeHistogram.Age) throws {
    let ages = try inspector.statistics(nowMicroseconds: now).ages
    #expect(ages.bins.first { $0.age == age }?.count.blockCount == 15)
    #expect(ages.bins.reduce(0) { $0 + $1.count.blockCount } == 15)
  }

  @Test func `waste is what tails lack and what the file holds besides`() throws {
    let statistics = try inspector.statistics()
    let waste = statistics.waste
    #expect(waste.tailCount == 3 && waste.missingTokenCount == 3 * 12)
    #expect(waste.unusedRowByteCount == 3 * 12 * 2048)
    let file = statistics.file
    let page = UInt64(file.pageByteCount)
    let runs = file.tables.reduce(0) { $0 + $1.overflowPageCount }
    // The two meta pages, the trees, what has pages of its own, what is free: all of the file.
    #expect((2 + file.treePageCount + runs + file.freePageCount + file.unreachablePageCount) == file.lastPage + 1)
    #expect(
      waste.treeByteCount == Int(file.treePageCount * page) && waste.freeByteCount == Int(file.freePageCount * page))
    let inRuns = statistics.total.diskByteCount
    #expect(waste.extentPaddingByteCount >= inRuns - statistics.compressedByteCount)
    #expect(waste.extentPaddingByteCount < Int(runs * page))
    #expect(statistics.diskByteCount == Int((2 + file.treePageCount + runs) * page))
  }

  @Test func `spaces add up to the whole, and factors are what the steps saved`() throws {
    let statistics = try inspector.statistics()
    #expect(statistics.spaces.map(\.count) == [statistics.total])
    #expect(statistics.total.tokenCount == 204 && statistics.total.tailCount == 3)
    #expect(statistics.sharingFactor == Double(3 * 132) / 204)
    #expect(statistics.isOneSnapshot && statistics.readers.isEmpty)
    #expect(statistics.quotaByteCount == nil)
    #expect(try inspector.statistics(quotaByteCount: 7).quotaByteCount == 7)
  }

  @Test func `info says whether the store is sound and what is due`() throws {
    let info = try inspector.info()
    #expect(info.contents?.statistics.damagedRecordCount == 0 && info.contents?.statistics.planes == nil)
    #expect(info.json.text().contains(#""sound": true"#))
    try store.damage { bytes in for offset in 8192..<bytes.count { bytes[offset] = 0 } }
    let damaged = try inspector.info()
    #expect(damaged.refusal != nil && damaged.contents == nil)
    #expect(damaged.json.text().contains(#""sound": false"#))
  }
}

/// A store that is large beside the memory that reading it may take.
@Suite struct LargeStoreTests {
  private static func fill(_ path: String) throws {
    var shape = LargeStore()
    shape.sessionCount = 1_000
    shape.blockCount = 20_000
    shape.batchBlockCount = 4_096
    try shape.fill(path)
  }

  @Test func `large stores are counted, listed and drawn in bounded memory`() async throws {
    let folder = TemporaryFolder()
    try Self.fill(folder.store)
    let path = folder.store
    // Some 100 MB of file: read through the map and kept, or collected in RAM, it would show.
    await #expect(processExitsWith: .success) { [path = path as String] in
      let inspector = StoreInspector(path: path)
      _ = try inspector.statistics(detail: .records)
      let before = Memory.peakKibibytes()
      let statistics = try inspector.statistics()
      #expect(statistics.sessionCount == 1_000 && statistics.uniqueBlockCount >= 20_000)
      let planes = try #require(statistics.planes)
      #expect(planes.isSampled && planes.readFrameCount > 6_000 && planes.readFrameCount <= 8_200)
      #expect(try inspector.statistics(detail: .exact).planes?.readFrameCount == statistics.uniqueBlockCount)
      let list = try inspector.sessions(SessionQuery())
      #expect(list.total.sessionCount == 1_000)
      #expect(list.total.logicalByteCount == statistics.logicalByteCount)
      _ = try inspector.info()
      let after = Memory.peakKibibytes()
      #expect(after - before < 32 << 10, "\(before) KiB, then \(after) KiB")
    }
  }

  @Test func `the same shape gives the same store`() throws {
    let (a, b) = (TemporaryFolder(), TemporaryFolder())
    var shape = LargeStore()
    shape.sessionCount = 30
    shape.blockCount = 300
    for folder in [a, b] { try shape.fill(folder.store) }
    let (first, second) = (StoreInspector(path: a.store), StoreInspector(path: b.store))
    #expect(try first.statistics().total == second.statistics().total)
    #expect(try first.sessions().map(\.name) == second.sessions().map(\.name))
    #expect(try first.statistics().uniqueBlockCount >= 300)
    #expect(try first.verify(deep: true).isSound)
  }
}

enum Memory {
  /// The most that this process had in RAM, mapped files included; 0 where the system does not say.
  static func peakKibibytes() -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM") })
    else { return 0 }
    return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
  }
}
