import KVBlocks
import KVSimulation
import KVTiering
import Testing

/// What becomes of a filled frame whose owner goes on reading the block.
@Suite struct SealPinnedTests {
  private func filled(_ bench: Bench, _ pager: Pager, _ block: BlockDescriptor) throws(StoreError) -> OpenFrame {
    let frame = try pager.openFrame(layout: bench.layout)
    bench.fill(frame.bytes, block)
    return frame
  }

  @Test func `a new block is pinned in the very frame that was filled`() throws {
    let bench = Bench(frames: 2)
    let block = bench.chain(1, 1)[0]
    var frame = try filled(bench, bench.pager, block)
    let start = UnsafeRawPointer(frame.bytes.baseAddress)
    do {
      let pinned = try bench.pager.sealPinned(&frame, as: block, layout: bench.layout)
      #expect(pinned.count == 1 && pinned.bytes(of: 0).baseAddress == start && pinned.tokenCount(of: 0) == 4)
      #expect(bench.pager.statistics.sealed == 1 && bench.pager.statistics.pinnedBlocks == 1)
      try bench.pager.writeBack()
      bench.assertInvariants()
    }
    _ = consume frame
    #expect(bench.pager.statistics.pinnedBlocks == 0 && bench.pager.isResident(block.key))
    bench.assertInvariants()
  }

  @Test(arguments: [1, 2]) func `a stored block's rows stand, in another frame or, where there is none, in this one`(
    frameCount: Int
  ) throws {
    let bench = Bench(frames: 4)
    let block = bench.chain(1, 1)[0]
    try bench.store([block])
    let other = bench.reopened(frames: frameCount)
    var frame = try other.openFrame(layout: bench.layout)
    frame.bytes.initializeMemory(as: UInt8.self, repeating: 0xee)
    do {
      let pinned = try other.sealPinned(&frame, as: block, layout: bench.layout)
      #expect(bench.holds(pinned.bytes(of: 0), block) && pinned.tokenCount(of: 0) == 4)
      let statistics = other.statistics
      #expect(statistics.loads == 1 && statistics.diskHits == 1 && statistics.shared == 1 && statistics.sealed == 0)
      other.assertInvariants()
    }
    _ = consume frame
    #expect(other.statistics.framesAllocated == frameCount && other.statistics.dirtyBlocks == 0)
    #expect(try bench.readBack([block], from: other) == 1)
    other.assertInvariants()
  }

  @Test(arguments: [1, 2]) func `a damaged block gives way to the rows that were brought`(frameCount: Int) throws {
    let bench = Bench(frames: 4)
    let block = bench.chain(1, 1)[0]
    try bench.store([block])
    bench.faulty.damage([block.key])
    let other = bench.reopened(frames: frameCount)
    var frame = try filled(bench, other, block)
    do {
      let pinned = try other.sealPinned(&frame, as: block, layout: bench.layout)
      #expect(bench.holds(pinned.bytes(of: 0), block))
      let statistics = other.statistics
      #expect(statistics.damaged == 1 && statistics.misses == 1 && statistics.sealed == 1 && statistics.shared == 0)
    }
    _ = consume frame
    try other.writeBack()
    #expect(bench.faulty.damagedKeys.isEmpty)
    other.assertInvariants()
  }

  @Test(arguments: [1, 2]) func `a load's error leaves the frame and its rows as they were`(frameCount: Int) throws {
    let bench = Bench(frames: 4)
    let block = bench.chain(1, 1)[0]
    try bench.store([block])
    let other = bench.reopened(frames: frameCount)
    var frame = try filled(bench, other, block)
    bench.faulty.failLoads(with: [StoreError(.inputOutput, "the disk is gone")])
    do {
      _ = try other.sealPinned(&frame, as: block, layout: bench.layout)
      Issue.record("a load that fails is told of")
    } catch {
      #expect(error.code == .inputOutput)
    }
    #expect(bench.holds(UnsafeRawBufferPointer(frame.bytes), block))
    #expect(other.statistics.pinnedBlocks == 0)
    other.assertInvariants()
    #expect(try other.sealPinned(&frame, as: block, layout: bench.layout).count == 1)
    _ = consume frame
    other.assertInvariants()
  }

  @Test func `who seals a block that another is loading waits for it`() throws {
    let gate = Gate()
    let bench = Bench(frames: 16, beforeLoad: { _ in gate.pass() })
    let block = bench.chain(1, 1)[0]
    try bench.store([block])
    let other = bench.reopened(frames: 2)
    let counts = Lock<[Int]>([])
    onThreads(3) { index in
      var count: Int?
      switch index {
      case 0: count = try? bench.readBack([block], from: other)
      case 1:
        gate.waitForArrivals(1)
        if var frame = try? other.openFrame(layout: bench.layout) {
          count = try? other.sealPinned(&frame, as: block, layout: bench.layout).count
        }
      default:
        waitUntil { other.statistics.loadsJoined == 1 }
        return gate.open()
      }
      let found = count
      counts.withLock { $0.append(found ?? -1) }
    }
    #expect(counts.withLock { $0 } == [1, 1])
    #expect(other.statistics.loads == 1)
    other.assertInvariants()
  }

  @Test func `frames are had together or not at all`() throws {
    let bench = Bench(frames: 6)
    try bench.store(bench.chain(1, 3))
    try bench.put(bench.chain(2, 1))
    let held = try bench.pager.openFrame(layout: bench.layout)
    for count in [6, 100, .max] {
      let error = #expect(throws: StoreError.self) {
        try bench.pager.openFrames(count, layout: bench.layout) { _ in Issue.record("none can be had") }
      }
      #expect(error?.code == .poolExhausted)
    }
    #expect(bench.pager.statistics.evictions == 0 && bench.pager.statistics.batches == 1)
    var starts: Set<UnsafeMutableRawPointer?> = [held.bytes.baseAddress]
    // The block that is not on disk yet is written first.
    try bench.pager.openFrames(5, layout: bench.layout) { starts.insert($0.bytes.baseAddress) }
    #expect(starts.count == 6 && bench.pager.statistics.evictions == 4 && bench.pager.statistics.batches == 2)
    try bench.pager.openFrames(0, layout: bench.layout) { _ in Issue.record("none is asked for") }
    _ = consume held
    bench.assertInvariants()
  }
}
