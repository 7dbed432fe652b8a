import KVBlocks
import KVSimulation
import SafeLMDB
import Testing

@testable import KVDiskTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Frames of chosen sizes straight into the tables, without the codec: how the file behaves, whatever is in it.
struct Churn {
  let store: TestStore
  private let noise: UnsafeMutableRawBufferPointer
  private(set) var frameByteCount = 0
  private var number: Int32 = 0
  private var random = SplitMix64(seed: 7)
  private var slack = QuotaSlack()

  init(_ store: TestStore, greatestByteCount: Int) {
    self.store = store
    noise = .allocate(byteCount: greatestByteCount, alignment: 64)
    for index in noise.indices { noise[index] = UInt8(truncatingIfNeeded: random.next()) }
  }

  func deallocate() { noise.deallocate() }

  /// One transaction of `count` blocks with frames of `sizes` bytes.
  mutating func commit(count: Int, sizes: ClosedRange<Int>, quotaBytes: Int? = nil) throws {
    let tier = store.tier
    try tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var run = try CommitRun(tables: tier.tables, nowMicroseconds: 1, transaction)
      for _ in 0..<count {
        number += 1
        let byteCount = Int.random(in: sizes, using: &random)
        frameByteCount += byteCount
        let descriptor = BlockDescriptor(
          space: store.space.id, parent: store.space.root, tokens: Array(repeating: number, count: 16))
        let bytes = UnsafeRawBufferPointer(rebasing: noise[..<byteCount])
        let frame = try run.put(frame: bytes, &transaction)
        try tier.tables.insertBlock(
          BlockRecord(
            key: descriptor.key, parent: descriptor.parent, tokens: descriptor.tokens, encodedExtra: [0xf6],
            frame: frame, frameChecksum: 0, payloadByteCount: byteCount, sessionCount: 0,
            lastUseMicroseconds: UInt64(number), codecUses: []), &transaction)
      }
      if let quotaBytes {
        let treePageCount = min(8 * (count + 1), try tier.tables.treePageCount(transaction))
        slack.note(pageCount: run.putPageCount + treePageCount)
        let target = quotaBytes / 4096 - slack.pageCount(quotaPageCount: quotaBytes / 4096)
        var keeper = QuotaKeeper(tables: tier.tables, targetPageCount: target)
        _ = try keeper.run(&transaction, isProtected: { _ in false })
      }
      try run.finish(&transaction)
    }
  }
}

struct ChurnTests {
  @Test(arguments: [(60, 330_000...360_000), (60, 1_300_000...1_450_000), (100, 330_000...360_000)])
  func `the file is within 2 in 100 of what its frames add up to`(count: Int, sizes: ClosedRange<Int>) throws {
    let store = try TestStore()
    var churn = Churn(store, greatestByteCount: sizes.upperBound)
    defer { churn.deallocate() }
    for _ in 0..<count / 10 { try churn.commit(count: 10, sizes: sizes) }
    let ratio = Double(try store.tier.statistics().diskBytes) / Double(churn.frameByteCount)
    print("\(count) frames of \(sizes): file / frames \(ratio)")
    #expect(ratio < 1.02)
  }

  /// Run by hand: KVPAGER_CHURN_MIB=1024 swift test --filter ChurnTests
  @Test(.enabled(if: getenv("KVPAGER_CHURN_MIB") != nil))
  func `throughput and the file's size stay flat through turnovers`() throws {
    let quotaBytes = (Int(getenv("KVPAGER_CHURN_MIB").map { String(cString: $0) } ?? "") ?? 1024) << 20
    let store = try TestStore(options: DiskTierOptions(syncsMetaPage: false))
    let sizes = 300_000...1_400_000
    var churn = Churn(store, greatestByteCount: sizes.upperBound)
    defer { churn.deallocate() }
    for turnover in 0..<6 {
      let goal = churn.frameByteCount + quotaBytes
      let start = ContinuousClock.now
      while churn.frameByteCount < goal { try churn.commit(count: 16, sizes: sizes, quotaBytes: quotaBytes) }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      let statistics = try store.tier.statistics()
      print(
        "turnover \(turnover): \(Int(Double(quotaBytes) / seconds / 1e6)) MB/s, file / quota "
          + "\(Double(statistics.diskBytes) / Double(quotaBytes)), used / quota "
          + "\(Double(statistics.usedBytes) / Double(quotaBytes)), blocks \(statistics.total.uniqueCount)")
    }
    #expect(try store.tier.statistics().diskBytes < quotaBytes + quotaBytes / 50)
  }
}
