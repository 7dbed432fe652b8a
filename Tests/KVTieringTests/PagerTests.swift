import KVBlocks
import KVSimulation
import KVTiering
import Testing

@Suite struct FillingTests {
  @Test func `a sealed block is shared, dirty and readable at once`() throws {
    // So many frames that nothing presses the writer.
    let bench = Bench(frames: 40)
    let chain = bench.chain(1, 3, tailTokens: 2)
    try bench.put(chain)
    #expect(try bench.readBack(chain) == 3)
    #expect(bench.pager.statistics.dirtyBlocks == 3)
    #expect(bench.pager.statistics.sealed == 3)
    bench.assertInvariants()
  }

  @Test func `an equal block is not kept twice, in RAM or on disk`() throws {
    let bench = Bench(frames: 4)
    let chain = bench.chain(1, 2)
    try bench.store(chain)
    #expect(try bench.put(chain[0]) == .alreadyPresent)
    let other = bench.reopened(frames: 4)
    #expect(try bench.put(chain[1], in: other) == .alreadyPresent)
    #expect(other.statistics.residentBlocks == 0)
    other.assertInvariants()
    bench.assertInvariants()
  }

  @Test func `an open frame that is dropped goes back`() throws {
    let bench = Bench(frames: 1)
    for _ in 0..<10 {
      let frame = try bench.pager.openFrame(layout: bench.layout)
      frame.bytes.initializeMemory(as: UInt8.self, repeating: 1)
    }
    #expect(bench.pager.statistics.framesAllocated == 1)
    bench.assertInvariants()
  }

  @Test func `a budget under one block is refused with the reason`() throws {
    let small = Bench(frames: 1, layout: Bench.makeLayout())
    let large = Bench.makeLayout(blockTokenCount: 8)
    let error = #expect(throws: StoreError.self) { _ = try small.pager.openFrame(layout: large) }
    #expect(error?.code == .budgetTooSmall)
  }

  @Test func `open frames beyond the pool are refused, not waited for`() throws {
    let bench = Bench(frames: 2)
    let a = try bench.pager.openFrame(layout: bench.layout)
    let b = try bench.pager.openFrame(layout: bench.layout)
    let error = #expect(throws: StoreError.self) { _ = try bench.pager.openFrame(layout: bench.layout) }
    #expect(error?.code == .poolExhausted)
    _ = consume a
    _ = consume b
    _ = try bench.pager.openFrame(layout: bench.layout)
    bench.assertInvariants()
  }

  @Test(arguments: [1, 2, 3])
  func `a session of any length goes through a budget of a few blocks`(frames: Int) throws {
    let bench = Bench(frames: frames)
    let chain = bench.chain(1, 100, tailTokens: 3)
    try bench.put(chain)
    #expect(try bench.commit("long", chain) == 1)
    #expect(bench.cold.storedKeys.count == 100)
    for descriptor in chain { #expect(try bench.readBack([descriptor]) == 1) }
    let statistics = bench.pager.statistics
    #expect(statistics.peakBytes <= frames * bench.layout.frameByteCount)
    #expect(statistics.framesAllocated == frames)
    bench.assertInvariants()
  }

  @Test func `dirty bytes over half of the budget are written back unasked`() throws {
    let bench = Bench(frames: 8)
    try bench.put(bench.chain(1, 4))
    waitUntil { bench.pager.statistics.writeBacks == 4 }
    bench.assertInvariants()
  }

  @Test func `dirty blocks are written back after a quiet moment`() throws {
    let bench = Bench(frames: 100, idleMilliseconds: 1)
    try bench.put(bench.chain(1, 2))
    waitUntil { bench.pager.statistics.dirtyBlocks == 0 }
    #expect(bench.cold.storedKeys.count == 2)
  }
}

@Suite struct LookupTests {
  @Test func `a prefix is found in RAM, on disk, and across both`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 6)
    let hashes = chain.map(\.key.hash)
    try bench.store(Array(chain[..<4]))
    #expect(
      try bench.pager.availablePrefix(of: hashes, in: Bench.space) == PrefixCount(blockCount: 4, memoryBlockCount: 4))
    let other = bench.reopened(frames: 16)
    #expect(
      try other.availablePrefix(of: hashes, in: Bench.space) == PrefixCount(blockCount: 4, memoryBlockCount: 0))
    try bench.put(chain[4], in: other)
    try bench.put(chain[5], in: other)
    #expect(
      try other.availablePrefix(of: hashes, in: Bench.space) == PrefixCount(blockCount: 6, memoryBlockCount: 2))
    #expect(
      try other.availablePrefix(of: hashes, in: SpaceID(rawValue: 9)) == PrefixCount(blockCount: 0, memoryBlockCount: 0)
    )
    other.assertInvariants()
  }

  @Test func `a damaged block ends a prefix until it is written again`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 4)
    let hashes = chain.map(\.key.hash)
    try bench.store(chain)
    bench.faulty.damage([chain[2].key])
    let other = bench.reopened(frames: 16)
    #expect(try bench.readBack(chain, from: other) == 2)
    #expect(other.statistics.damaged == 1 && other.statistics.misses == 1)
    #expect(try other.availablePrefix(of: hashes, in: Bench.space).blockCount == 2)
    #expect(try !other.isAvailable(chain[2].key))
    // Computed again, it is not "already present": it takes the damaged one's place.
    #expect(try bench.put(chain[2], in: other) == .added)
    #expect(try other.availablePrefix(of: hashes, in: Bench.space).blockCount == 4)
    try other.writeBack()
    #expect(bench.faulty.damagedKeys.isEmpty)
    #expect(try bench.readBack(chain, from: bench.reopened(frames: 16)) == 4)
    other.assertInvariants()
  }

  @Test func `a partly equal block is found in RAM and on disk, the longest first`() throws {
    let bench = Bench(frames: 16)
    func child(_ tokens: [Token]) -> BlockDescriptor {
      BlockDescriptor(space: Bench.space, parent: Bench.root, tokens: tokens)
    }
    let stored = child([1, 2, 3, 9])
    let dirty = child([1, 2, 8, 8])
    try bench.store([stored])
    let other = bench.reopened(frames: 16)
    try bench.put(dirty, in: other)
    let pager = other
    let tokens: [Token] = [1, 2, 8, 7]
    let a = try #require(try pager.partialMatch(after: Bench.root, tokens: tokens[...], in: Bench.space))
    #expect(a.key == dirty.key && a.tokenCount == 3)
    let more: [Token] = [0, 1, 2, 3, 4]
    let b = try #require(try pager.partialMatch(after: Bench.root, tokens: more[1...], in: Bench.space))
    #expect(b.key == stored.key && b.tokenCount == 3)
    #expect(try pager.partialMatch(after: Bench.root, tokens: [7], in: Bench.space) == nil)
    #expect(try pager.partialMatch(after: stored.key.hash, tokens: [1], in: Bench.space) == nil)
  }

  @Test func `a child with other extra keys is no partial match`() throws {
    let bench = Bench(frames: 16)
    let variant = BlockDescriptor(
      space: Bench.space, parent: Bench.root, tokens: [1, 2], extra: [.variant(digest: "ab")])
    try bench.put(variant)
    #expect(try bench.pager.partialMatch(after: Bench.root, tokens: [1, 2], in: Bench.space) == nil)
    try bench.pager.writeBack()
    #expect(try bench.reopened(frames: 2).partialMatch(after: Bench.root, tokens: [1, 2], in: Bench.space) == nil)
    let found = try bench.pager.partialMatch(
      after: Bench.root, tokens: [1, 2], in: Bench.space, encodedExtra: variant.encodedExtra)
    #expect(found?.key == variant.key)
  }

  @Test func `uses reach the disk tier with the root youngest`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 4)
    try bench.store(chain)
    _ = try bench.pager.availablePrefix(of: chain.map(\.key.hash), in: Bench.space)
    try bench.pager.close()
    let stamps = Dictionary(bench.cold.touches.map { ($0.key, $0.lastUse) }, uniquingKeysWith: max)
    let ordered = try chain.map { try #require(stamps[$0.key]) }
    #expect(ordered == ordered.sorted(by: >) && Set(ordered).count == 4)
  }
}
