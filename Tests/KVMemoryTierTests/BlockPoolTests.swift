import KVBlocks
import KVMemoryTier
import Testing

/// A pool, and blocks made up for it: chains of one-token blocks.
private final class Pool {
  static let space = SpaceID(rawValue: 1)
  static let root = ChainHash.root(seed: "pool")
  var pool: BlockPool
  let layout: BlockLayout

  init(budget: Int, policy: EvictionChoice = .tailFirstLRU, rowByteCount: Int = 64) throws {
    pool = BlockPool(budgetBytes: budget, policy: policy.makePolicy())
    layout = try Self.layout(rowByteCount)
  }

  static func layout(_ rowByteCount: Int) throws -> BlockLayout {
    try BlockLayout(
      blockTokenCount: 1,
      planes: [PlaneLayout(Plane(.keys, layer: 0), elementType: .raw, rowByteCount: rowByteCount)])
  }

  static func chain(_ number: Token, _ count: Int) -> [BlockDescriptor] {
    var result: [BlockDescriptor] = []
    for index in 0..<count {
      result.append(
        BlockDescriptor(
          space: space, parent: result.last?.key.hash ?? root, tokens: [number * 1000 + Token(index)]))
    }
    return result
  }

  /// Brings a block into RAM, clean.
  func add(_ descriptor: BlockDescriptor, layout other: BlockLayout? = nil) -> FrameIndex? {
    guard let frame = pool.reserve(byteCount: (other ?? layout).frameByteCount) else { return nil }
    pool.publishDirty(frame, descriptor: descriptor, layout: other ?? layout)
    pool.beginWrite(frame)
    pool.finishWrite(frame, isStored: true)
    return frame
  }

  func reserve(byteCount: Int) -> FrameIndex? { pool.reserve(byteCount: byteCount) }
  func canReserve(byteCount: Int, count: Int) -> Bool { pool.canReserve(byteCount: byteCount, count: count) }
  func find(_ key: BlockKey) -> FrameIndex? { pool.find(key) }
  func children(of parent: BlockKey) -> [FrameIndex] { pool.children(of: parent) }
  func memory(of frame: FrameIndex) -> FrameMemory { pool.memory(of: frame) }
  func resident(_ chain: [BlockDescriptor]) -> [Int] { chain.indices.filter { pool.find(chain[$0].key) != nil } }
}

@Suite struct BlockPoolTests {
  @Test func `frames are aligned, counted and stay inside the budget`() throws {
    let bench = try Pool(budget: 64 * 10)
    var frames: [FrameIndex] = []
    while let frame = bench.reserve(byteCount: 64) { frames.append(frame) }
    #expect(frames.count == 10)
    #expect(bench.pool.allocatedBytes == 640 && bench.pool.peakBytes == 640 && bench.pool.frameCount == 10)
    for frame in frames {
      #expect(UInt(bitPattern: bench.memory(of: frame).base) % UInt(BlockPool.memoryAlignmentByteCount) == 0)
    }
    #expect(Set(frames.map { bench.memory(of: $0).base }).count == 10)
    for frame in frames { bench.pool.giveBack(frame) }
    #expect(bench.pool.freeBytes == 640)
    bench.pool.assertInvariants()
  }

  @Test func `a frame given back is taken again without asking the system`() throws {
    let bench = try Pool(budget: 640)
    for _ in 0..<100 {
      let frame = try #require(bench.reserve(byteCount: 64))
      bench.pool.giveBack(frame)
    }
    #expect(bench.pool.allocationCount == 1)
    #expect(bench.pool.allocatedBytes == 64)
  }

  @Test func `an evicted frame's memory is recycled for a block of its size`() throws {
    let bench = try Pool(budget: 64 * 4)
    for descriptor in Pool.chain(1, 100) { _ = try #require(bench.add(descriptor)) }
    #expect(bench.pool.allocationCount == 4)
    #expect(bench.pool.evictionCount == 96)
    bench.pool.assertInvariants()
  }

  @Test func `frames of two sizes share one budget`() throws {
    let bench = try Pool(budget: 1000)
    let large = try Pool.layout(384)
    for (small, big) in zip(Pool.chain(1, 60), Pool.chain(2, 60)) {
      _ = try #require(bench.add(small))
      bench.pool.assertInvariants()
      _ = try #require(bench.add(big, layout: large))
      bench.pool.assertInvariants()
      #expect(bench.pool.allocatedBytes <= 1000)
    }
    #expect(bench.pool.peakBytes <= 1000)
  }

  @Test func `a frame larger than the budget is refused and evicts nothing`() throws {
    let bench = try Pool(budget: 256)
    let chain = Pool.chain(1, 4)
    for descriptor in chain { _ = bench.add(descriptor) }
    #expect(bench.reserve(byteCount: 320) == nil)
    #expect(bench.resident(chain) == [0, 1, 2, 3])
  }

  @Test func `pinned, held, dirty, open and loading frames are never victims`() throws {
    let bench = try Pool(budget: 64 * 6)
    let chain = Pool.chain(1, 4)
    let pinned = try #require(bench.add(chain[0]))
    let held = try #require(bench.add(chain[1]))
    _ = try #require(bench.add(chain[2]))
    bench.pool.pin(pinned)
    bench.pool.hold(held)
    let dirty = try #require(bench.reserve(byteCount: 64))
    bench.pool.publishDirty(dirty, descriptor: chain[3], layout: bench.layout)
    let open = try #require(bench.reserve(byteCount: 64))
    let loading = try #require(bench.reserve(byteCount: 64))
    let other = Pool.chain(2, 1)[0]
    bench.pool.beginLoad(loading, key: other.key, layout: bench.layout)
    // One clean block is left, and it goes.
    let last = try #require(bench.reserve(byteCount: 64))
    #expect(bench.resident(chain) == [0, 1, 3])
    #expect(bench.reserve(byteCount: 64) == nil)
    bench.pool.unpin(pinned)
    bench.pool.unhold(held)
    bench.pool.finishLoad(loading, tokenCount: 1)
    #expect(bench.canReserve(byteCount: 64, count: 3))
    bench.pool.giveBack(open)
    bench.pool.giveBack(last)
    bench.pool.assertInvariants()
  }

  @Test func `a failed load leaves the table at once and frees its frame with the last pin`() throws {
    let bench = try Pool(budget: 64)
    let key = Pool.chain(1, 1)[0].key
    let frame = try #require(bench.reserve(byteCount: 64))
    bench.pool.beginLoad(frame, key: key, layout: bench.layout)
    bench.pool.pin(frame)
    bench.pool.pin(frame)
    bench.pool.failLoad(frame)
    #expect(bench.find(key) == nil)
    bench.pool.unpin(frame)
    bench.pool.assertInvariants()
    #expect(bench.pool.freeBytes == 0)
    bench.pool.unpin(frame)
    #expect(bench.pool.freeBytes == 64)
    bench.pool.assertInvariants()
  }

  @Test func `two spaces with one hash are two blocks`() throws {
    let bench = try Pool(budget: 640)
    let a = Pool.chain(1, 1)[0]
    let b = BlockDescriptor(
      key: BlockKey(space: SpaceID(rawValue: 2), hash: a.key.hash), parent: a.parent, tokens: a.tokens,
      encodedExtra: a.encodedExtra)
    let frames = [bench.add(a), bench.add(b)]
    #expect(frames[0] != nil && frames[0] != frames[1])
    #expect(bench.find(a.key) == frames[0] && bench.find(b.key) == frames[1])
  }

  @Test func `the table finds what a dictionary finds through ten thousand comings and goings`() throws {
    let bench = try Pool(budget: 64 * 300)
    let blocks = Pool.chain(1, 2000)
    var seed: UInt64 = 42
    func random(_ bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    for round in 0..<10_000 {
      let descriptor = blocks[random(blocks.count)]
      if let frame = bench.find(descriptor.key) {
        let key = bench.pool[frame].key
        #expect(key == descriptor.key)
        bench.pool.use(frame)
      } else {
        let frame = try #require(bench.add(descriptor))
        #expect(bench.find(descriptor.key) == frame)
      }
      if round % 500 == 0 { bench.pool.assertInvariants() }
    }
    #expect(bench.pool.residentCount == 300)
    bench.pool.assertInvariants()
  }

  @Test func `resident children are found under their parent until they leave`() throws {
    let bench = try Pool(budget: 64 * 3)
    let chain = Pool.chain(1, 3)
    for descriptor in chain { _ = bench.add(descriptor) }
    #expect(bench.children(of: chain[0].key) == [bench.find(chain[1].key)])
    let other = Pool.chain(2, 2)
    for descriptor in other { _ = bench.add(descriptor) }
    #expect(bench.children(of: chain[0].key).isEmpty)
    bench.pool.assertInvariants()
  }
}

@Suite struct EvictionPolicyTests {
  private func evictionOrder(_ bench: Pool, _ chains: [[BlockDescriptor]]) throws -> [String] {
    var order: [String] = []
    var known = Set(chains.joined().map(\.key))
    var filler = Pool.chain(99, 100)[...]
    while !known.isEmpty {
      _ = try #require(bench.add(filler.removeFirst()))
      for (number, chain) in chains.enumerated() {
        for (index, descriptor) in chain.enumerated()
        where known.contains(descriptor.key) && bench.find(descriptor.key) == nil {
          order.append("\(number)\(index)")
          known.remove(descriptor.key)
        }
      }
    }
    return order
  }

  @Test func `a chain that was added goes leaf first`() throws {
    let bench = try Pool(budget: 64 * 4)
    let chain = Pool.chain(1, 4)
    for descriptor in chain { _ = bench.add(descriptor) }
    #expect(try evictionOrder(bench, [chain]) == ["03", "02", "01", "00"])
  }

  @Test func `of two chains the one used longer ago goes first, each leaf first`() throws {
    let bench = try Pool(budget: 64 * 6)
    let chains = [Pool.chain(1, 3), Pool.chain(2, 3)]
    for descriptor in chains.joined() { _ = bench.add(descriptor) }
    for descriptor in chains[0].reversed() {
      let frame = try #require(bench.find(descriptor.key))
      bench.pool.use(frame)
    }
    #expect(try evictionOrder(bench, chains) == ["12", "11", "10", "02", "01", "00"])
  }

  @Test func `blocks whose pins end deepest first stay in chain order`() throws {
    let bench = try Pool(budget: 64 * 6)
    let chains = [Pool.chain(1, 3), Pool.chain(2, 3)]
    for descriptor in chains.joined() { _ = bench.add(descriptor) }
    let frames = chains[0].compactMap { bench.find($0.key) }
    for frame in frames { bench.pool.pin(frame) }
    for frame in frames.reversed() { bench.pool.unpin(frame) }
    #expect(try evictionOrder(bench, chains) == ["12", "11", "10", "02", "01", "00"])
  }

  @Test(arguments: EvictionChoice.allCases)
  func `every policy gives up all unpinned blocks and no pinned one`(choice: EvictionChoice) throws {
    let bench = try Pool(budget: 64 * 20, policy: choice)
    let chain = Pool.chain(1, 20)
    for descriptor in chain { _ = bench.add(descriptor) }
    let pinned = stride(from: 0, to: 20, by: 3).compactMap { bench.find(chain[$0].key) }
    for frame in pinned { bench.pool.pin(frame) }
    var open: [FrameIndex] = []
    while let frame = bench.reserve(byteCount: 64) { open.append(frame) }
    #expect(open.count == 20 - pinned.count)
    #expect(bench.resident(chain) == Array(stride(from: 0, to: 20, by: 3)))
    for frame in open { bench.pool.giveBack(frame) }
    for frame in pinned { bench.pool.unpin(frame) }
    bench.pool.assertInvariants()
  }

  @Test func `S3-FIFO keeps a block that was used over a run of blocks that were not`() throws {
    let bench = try Pool(budget: 64 * 20, policy: .s3FIFO)
    let hot = Pool.chain(1, 2)
    for descriptor in hot { _ = bench.add(descriptor) }
    for descriptor in hot {
      let frame = try #require(bench.find(descriptor.key))
      for _ in 0..<3 { bench.pool.use(frame) }
    }
    for number in 2..<12 {
      for descriptor in Pool.chain(Token(number), 10) { _ = try #require(bench.add(descriptor)) }
      for descriptor in hot {
        if let frame = bench.find(descriptor.key) { bench.pool.use(frame) }
      }
    }
    #expect(bench.resident(hot) == [0, 1])
  }
}
