import KVBlocks
import KVSimulation
import Testing

@testable import KVTiering

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

@Suite struct ActivityTellerTests {
  private static let intervalMilliseconds = 5

  /// A pager on the bench's disk tier, and all that it tells.
  private func tellingPager(_ bench: Bench, frames: Int) -> (pager: Pager, told: Told) {
    let told = Told()
    var configuration = PagerConfiguration(
      memoryBudgetBytes: frames * bench.layout.frameByteCount, idleWriteBackMilliseconds: 3_600_000,
      tellsActivity: { told.add($0) })
    configuration.activityIntervalMilliseconds = Self.intervalMilliseconds
    return (Pager(configuration: configuration, cold: bench.faulty), told)
  }

  private final class Told: Sendable {
    private let list = Lock<[PagerStatistics]>([])

    func add(_ statistics: PagerStatistics) { list.withLock { $0.append(statistics) } }
    var count: Int { list.withLock { $0.count } }
    var last: PagerStatistics { list.withLock { $0.last } ?? PagerStatistics() }
  }

  private func sleeps(_ pager: Pager) -> Bool { pager.core.isDozing.load(ordering: .relaxed) }

  @Test func `whatever is done after a quiet time is told, and nothing is while nothing is done`() throws {
    let bench = Bench(frames: 64)
    let chain = bench.chain(1, 4)
    let other = bench.chain(3, 2)
    try bench.store(chain + other)
    try bench.pager.close()
    let (pager, told) = tellingPager(bench, frames: 8)
    let keys = chain.map(\.key)
    var rows = [UInt8](repeating: 0, count: 4 * 16)
    let uses: [(String, () throws -> Void)] = [
      ("a lease", { _ = try pager.pin(keys, layout: bench.layout) }),
      ("a lease of what is in RAM", { _ = try pager.pin(keys, layout: bench.layout) }),
      (
        "a plane read",
        {
          let isRead = try rows.withUnsafeMutableBytes {
            try pager.readPlane(keys[0], layout: bench.layout, plane: 0, rows: 0..<4, into: $0)
          }
          #expect(isRead)
        }
      ),
      (
        "rows read",
        {
          let count = try rows.withUnsafeMutableBytes {
            try pager.readRows(
              of: [BlockRows(key: keys[1], rows: 0..<4, firstRow: 0)], layout: bench.layout,
              into: [PlaneDestination(plane: 0, bytes: $0)])
          }
          #expect(count == 1)
        }
      ),
      ("a block put", { try bench.put(bench.chain(2, 1)[0], in: pager) }),
      ("blocks fetched ahead", { pager.prefetch(other.map(\.key), layout: bench.layout) }),
      ("a commit", { try pager.writeBack() }),
    ]
    for (name, use) in uses {
      waitUntil { sleeps(pager) }
      try use()
      for _ in 0..<5000 where !sleeps(pager) || told.last != pager.statistics { usleep(2000) }
      #expect(told.last == pager.statistics, "\(name)")
    }
    let count = told.count
    usleep(UInt32(Self.intervalMilliseconds) * 20_000)
    #expect(told.count == count)
    #expect(told.last.prefetches == 2)
    try pager.close()
  }
}
