import KVBlocks
import KVSimulation
import KVTiering
import Testing

@Suite struct HitTests {
  /// A pager on the bench's disk tier that tells of a block's use once in an hour.
  private func patientPager(_ bench: Bench, frames: Int) -> Pager {
    Pager(
      configuration: PagerConfiguration(
        memoryBudgetBytes: frames * bench.layout.frameByteCount, idleWriteBackMilliseconds: 3_600_000,
        touchIntervalMicroseconds: 3_600_000_000),
      cold: bench.faulty)
  }

  private func hits(_ bench: Bench) -> [BlockKey: Int] {
    bench.cold.touches.reduce(into: [:]) { $0[$1.key, default: 0] += $1.hitCount }
  }

  @Test func `every look-up counts however often uses are told`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 4)
    try bench.store(chain)
    try bench.pager.close()
    let pager = patientPager(bench, frames: 16)
    _ = try pager.pin(chain.map(\.key), layout: bench.layout)
    for _ in 0..<5 { _ = try pager.availablePrefix(of: chain.map(\.key.hash), in: Bench.space) }
    _ = try pager.availablePrefix(of: [chain[0].key.hash], in: Bench.space)
    pager.notePartialHit(of: chain[3].key)
    let before = bench.cold.batches.count
    try pager.close()
    // One transaction, as the uses alone would take.
    #expect(bench.cold.batches.count == before + 1)
    #expect(hits(bench) == [chain[0].key: 6, chain[1].key: 5, chain[2].key: 5, chain[3].key: 6])
  }

  @Test func `hits of blocks that left RAM are told, and leases are none`() throws {
    let bench = Bench(frames: 64)
    let chain = bench.chain(1, 4)
    let other = bench.chain(2, 4)
    try bench.store(chain + other)
    try bench.pager.close()
    let pager = patientPager(bench, frames: 4)
    for _ in 0..<3 {
      _ = try pager.pin(chain.map(\.key), layout: bench.layout)
      _ = try pager.availablePrefix(of: chain.map(\.key.hash), in: Bench.space)
      _ = try pager.availablePrefix(of: chain.map(\.key.hash), in: Bench.space)
      _ = try pager.pin(other.map(\.key), layout: bench.layout)
      pager.assertInvariants()
    }
    try pager.close()
    var wanted = Dictionary(uniqueKeysWithValues: chain.map { ($0.key, 6) })
    for block in other { wanted[block.key] = 0 }
    #expect(hits(bench) == wanted)
  }

  @Test func `hits wait for the blocks to be stored and go with a commit`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 3)
    try bench.put(chain)
    for _ in 0..<4 { _ = try bench.pager.availablePrefix(of: chain.map(\.key.hash), in: Bench.space) }
    #expect(hits(bench).isEmpty)
    let before = bench.cold.batches.count
    try bench.commit("one", chain)
    #expect(bench.cold.batches.count == before + 1)
    #expect(hits(bench) == Dictionary(uniqueKeysWithValues: chain.map { ($0.key, 4) }))
    bench.assertInvariants()
    try bench.pager.close()
  }

  @Test func `a resumed chain counts once`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 3)
    try bench.store(chain)
    bench.pager.noteResumed(chain.map(\.key.hash), in: Bench.space)
    try bench.pager.close()
    #expect(hits(bench) == Dictionary(uniqueKeysWithValues: chain.map { ($0.key, 1) }))
  }
}
