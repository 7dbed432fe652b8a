import KVBlocks
import KVSimulation
import KVTiering
import Testing

@Suite struct PinTests {
  @Test func `what is missing in RAM is loaded, and then it is not loaded again`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 10, tailTokens: 1)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    #expect(try bench.readBack(chain, from: other) == 10)
    #expect(try bench.readBack(chain, from: other) == 10)
    #expect(bench.cold.loads.values.allSatisfy { $0 == 1 } && bench.cold.loads.count == 10)
    let statistics = other.statistics
    #expect(statistics.diskHits == 10 && statistics.memoryHits == 10 && statistics.misses == 0)
    #expect(statistics.pinnedBlocks == 0)
    other.assertInvariants()
  }

  @Test func `a missing block ends the run and leaves no pin behind it`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 8)
    try bench.store(Array(chain[..<5]))
    let other = bench.reopened(frames: 16)
    let blocks = try other.pin(chain.map(\.key), layout: bench.layout)
    #expect(blocks.count == 5)
    #expect(other.statistics.pinnedBlocks == 5 && other.statistics.misses == 1)
    _ = consume blocks
    #expect(other.statistics.pinnedBlocks == 0)
    other.assertInvariants()
  }

  @Test func `the same block twice in one lease takes one frame and two pins`() throws {
    let bench = Bench(frames: 1)
    let chain = bench.chain(1, 1)
    try bench.store(chain)
    let other = bench.reopened(frames: 1)
    let blocks = try other.pin([chain[0].key, chain[0].key], layout: bench.layout)
    #expect(blocks.count == 2 && blocks.bytes(of: 0).baseAddress == blocks.bytes(of: 1).baseAddress)
    _ = consume blocks
    #expect(other.statistics.pinnedBlocks == 0)
    other.assertInvariants()
  }

  @Test func `no block is an empty lease`() throws {
    let bench = Bench(frames: 1)
    let blocks = try bench.pager.pin([], layout: bench.layout)
    #expect(blocks.count == 0)
  }

  @Test func `a lease larger than the pool is refused, naming what helps, and pins nothing`() throws {
    let bench = Bench(frames: 4)
    let chain = bench.chain(1, 6)
    try bench.store(chain)
    let error = #expect(throws: StoreError.self) { _ = try bench.readBack(chain) }
    #expect(error?.code == .poolExhausted && error?.message.contains("raise the RAM budget") == true)
    #expect(bench.pager.statistics.pinnedBlocks == 0)
    #expect(try bench.readBack(Array(chain[..<4])) == 4)
    bench.assertInvariants()
  }

  @Test func `of two leases that do not fit together the second is refused at once`() throws {
    let bench = Bench(frames: 6)
    let chains = [bench.chain(1, 4), bench.chain(2, 4)]
    try bench.store(chains[0])
    try bench.store(chains[1])
    let first = try bench.pager.pin(chains[0].map(\.key), layout: bench.layout)
    let error = #expect(throws: StoreError.self) { _ = try bench.readBack(chains[1]) }
    #expect(error?.code == .poolExhausted && error?.message.contains("4 of") == true)
    #expect(try bench.readBack(Array(chains[1][..<2])) == 2)
    #expect(first.count == 4 && bench.pager.statistics.pinnedBlocks == 4)
    _ = consume first
    #expect(try bench.readBack(chains[1]) == 4)
    bench.assertInvariants()
  }

  @Test func `a lease waits for dirty blocks to be written back and takes their frames`() throws {
    let bench = Bench(frames: 4)
    let stored = bench.chain(1, 4)
    try bench.store(stored)
    let fresh = bench.chain(2, 1)
    try bench.put(fresh)
    #expect(try bench.readBack(stored) == 4)
    #expect(bench.cold.storedKeys.contains(fresh[0].key))
    bench.assertInvariants()
  }

  @Test func `a load that fails throws, gives every pin back, and the next try succeeds`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 6)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    bench.faulty.failLoads(with: [StoreError(.inputOutput, "the disk is gone")])
    let error = #expect(throws: StoreError.self) { _ = try bench.readBack(chain, from: other) }
    #expect(error?.message == "the disk is gone")
    #expect(other.statistics.pinnedBlocks == 0)
    other.assertInvariants()
    #expect(try bench.readBack(chain, from: other) == 6)
  }

  @Test func `a block needed by two callers at once is loaded once`() throws {
    let gate = Gate()
    let bench = Bench(frames: 16, beforeLoad: { _ in gate.pass() })
    let chain = bench.chain(1, 1)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    let counts = Lock<[Int]>([])
    onThreads(3) { index in
      if index == 2 {
        // The second caller has joined the load before it may end.
        waitUntil { other.statistics.loadsJoined == 1 }
        gate.open()
      } else {
        let count = try? bench.readBack(chain, from: other)
        counts.withLock { $0.append(count ?? -2) }
      }
    }
    #expect(counts.withLock { $0 } == [1, 1])
    #expect(bench.cold.loads == [chain[0].key: 1])
    #expect(other.statistics.loads == 1 && other.statistics.loadsJoined == 1)
    other.assertInvariants()
  }

  @Test func `who joined a load that failed gets its error and keeps nothing`() throws {
    let gate = Gate()
    let bench = Bench(frames: 16, beforeLoad: { _ in gate.pass() })
    let chain = bench.chain(1, 1)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    bench.faulty.failLoads(with: [StoreError(.inputOutput, "gone")])
    let errors = Lock<[StoreError.Code]>([])
    onThreads(3) { index in
      if index == 2 {
        waitUntil { other.statistics.loadsJoined == 1 }
        gate.open()
      } else {
        do throws(StoreError) {
          _ = try bench.readBack(chain, from: other)
        } catch {
          errors.withLock { $0.append(error.code) }
        }
      }
    }
    #expect(errors.withLock { $0 } == [.inputOutput, .inputOutput])
    #expect(other.statistics.pinnedBlocks == 0)
    other.assertInvariants()
    #expect(try bench.readBack(chain, from: other) == 1)
  }

  @Test func `prefetched blocks are in RAM when they are leased`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 6)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    other.prefetch(chain.map(\.key), layout: bench.layout)
    waitUntil { other.statistics.loads == 6 }
    #expect(try bench.readBack(chain, from: other) == 6)
    #expect(other.statistics.memoryHits == 6 && other.statistics.diskHits == 0 && other.statistics.prefetches == 6)
    other.assertInvariants()
  }

  @Test func `prefetching more than fits takes what fits and hurts nobody`() throws {
    let bench = Bench(frames: 4)
    let chain = bench.chain(1, 12)
    try bench.store(chain)
    let other = bench.reopened(frames: 4)
    let lease = try other.pin([chain[0].key], layout: bench.layout)
    other.prefetch(chain.map(\.key), layout: bench.layout)
    waitUntil { other.statistics.loads == 4 }
    other.prefetch([bench.chain(7, 1)[0].key], layout: bench.layout)
    #expect(bench.holds(lease.bytes(of: 0), chain[0]))
    _ = consume lease
    #expect(try bench.readBack(Array(chain[..<4]), from: other) == 4)
    try other.close()
    other.assertInvariants()
  }

  @Test func `a chain leaves RAM leaf first, the one leased longer ago before the other`() throws {
    let bench = Bench(frames: 8)
    let chains = [bench.chain(1, 4), bench.chain(2, 4)]
    try bench.store(chains[0])
    try bench.store(chains[1])
    #expect(try bench.readBack(chains[1]) == 4)
    #expect(try bench.readBack(chains[0]) == 4)
    for evicted in 1...4 {
      try bench.store([bench.chain(10 + evicted, 1)[0]])
      #expect(bench.resident(chains[1]) == Array(0..<4 - evicted))
      #expect(bench.resident(chains[0]) == [0, 1, 2, 3])
    }
    try bench.store(bench.chain(20, 1))
    #expect(bench.resident(chains[0]) == [0, 1, 2])
  }

  @Test func `a plane is read from RAM, and from disk without taking a frame`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 2, tailTokens: 3)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    for pager in [bench.pager, other] {
      for (index, descriptor) in chain.enumerated() {
        for plane in 0..<2 {
          let rows = 1..<descriptor.tokens.count
          var bytes = [UInt8](repeating: 0, count: rows.count * 16)
          let found = try bytes.withUnsafeMutableBytes {
            try pager.readPlane(descriptor.key, layout: bench.layout, plane: plane, rows: rows, into: $0)
          }
          #expect(found, "block \(index)")
          #expect(bytes == rows.flatMap { [UInt8](repeating: Bench.byte(descriptor.key, plane, $0), count: 16) })
        }
      }
    }
    #expect(other.statistics.framesAllocated == 0 && other.statistics.planeReads == 4)
    let absent = bench.chain(5, 1)[0]
    var bytes = [UInt8](repeating: 0, count: 16)
    let found = try bytes.withUnsafeMutableBytes {
      try other.readPlane(absent.key, layout: bench.layout, plane: 0, rows: 0..<1, into: $0)
    }
    #expect(!found && other.statistics.misses == 1)
  }

  @Test func `contents are compared where they lie, and a missing block is neither equal nor different`() throws {
    let bench = Bench(frames: 16)
    let chain = bench.chain(1, 2, tailTokens: 3)
    try bench.store(chain)
    let other = bench.reopened(frames: 16)
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: bench.layout.frameByteCount, alignment: 64)
    defer { frame.deallocate() }
    for pager in [bench.pager, other] {
      for descriptor in chain {
        // What lies beyond the tail's rows means nothing.
        frame.initializeMemory(as: UInt8.self, repeating: 0xee)
        bench.fill(frame, descriptor)
        func equals() throws -> Bool? {
          try pager.contentEquals(
            descriptor.key, layout: bench.layout, tokenCount: descriptor.tokens.count,
            frame: UnsafeRawBufferPointer(frame))
        }
        #expect(try equals() == true)
        frame[bench.layout.byteRange(ofPlane: 1, rows: 2..<3).upperBound - 1] ^= 1
        #expect(try equals() == false)
      }
      #expect(
        try pager.contentEquals(
          bench.chain(5, 1)[0].key, layout: bench.layout, tokenCount: 1, frame: UnsafeRawBufferPointer(frame)) == nil)
    }
    #expect(other.statistics.framesAllocated == 0)
  }
}
