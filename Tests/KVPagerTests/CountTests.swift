import KVBlocks
import KVPager
import KVSimulation
import Testing

/// What things cost, in calls and bytes, which no machine's load changes.
@Suite struct CountTests {
  private let blockCount = 12

  /// A closed store that holds one session of `blockCount` full blocks.
  private func filled(_ rig: Rig) throws {
    let store = try rig.open(blocks: blockCount + 1)
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<blockCount * rig.layout.blockTokenCount), to: session)
    try session.commit()
    try store.close()
  }

  @Test func `a commit is one transaction that encodes each new block once`() throws {
    let rig = try Rig()
    let (store, calls) = try rig.openCounted(blocks: 64)
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<20), to: session)
    #expect(calls.take().commits == 0)
    try session.commit()
    let first = calls.take()
    #expect(first.commits == 1)
    #expect(first.encodes == 3)
    try rig.append(tokens(20..<21), to: session)
    try session.commit()
    let second = calls.take()
    #expect(second.commits == 1)
    #expect(second.encodes == 1)
    #expect(second.loads + second.planeReads == 0)
  }

  @Test func `a resumed lease loads each block once and a second one loads nothing`() throws {
    let rig = try Rig()
    try filled(rig)
    let (store, calls) = try rig.openCounted(blocks: blockCount)
    let session = try rig.space(store).session(named: "chat")
    _ = calls.take()
    let lease = try session.lease()
    #expect(lease.blockCount == blockCount)
    #expect(calls.take() == CountingColdTier.Calls(loads: blockCount))
    let again = try session.lease()
    #expect(again.blockCount == blockCount)
    #expect(calls.take() == CountingColdTier.Calls())
  }

  @Test func `a look-up of resident blocks and a gather from them ask the disk for nothing`() throws {
    let rig = try Rig()
    try filled(rig)
    let (store, calls) = try rig.openCounted(blocks: blockCount)
    let space = try rig.space(store)
    let asked = tokens(0..<blockCount * rig.layout.blockTokenCount)
    _ = try space.longestPrefix(of: asked).lease()
    _ = calls.take()
    let prefix = try space.longestPrefix(of: asked)
    #expect(prefix.memoryBlockCount == blockCount)
    var rows = [UInt8](repeating: 0, count: asked.count * rig.layout.planes[0].rowByteCount)
    let copied = try rows.withUnsafeMutableBytes { try prefix.gather(plane: 0, into: $0) }
    #expect(copied == asked.count)
    #expect(calls.take() == CountingColdTier.Calls())
  }

  @Test func `a look-up of stored blocks asks the disk once`() throws {
    let rig = try Rig()
    try filled(rig)
    let (store, calls) = try rig.openCounted(blocks: 2)
    let space = try rig.space(store)
    _ = calls.take()
    #expect(try space.longestPrefix(of: tokens(0..<blockCount * rig.layout.blockTokenCount)).tokenCount > 0)
    #expect(calls.take() == CountingColdTier.Calls(lookups: 1))
  }

  @Test func `a gather from disk reads each plane of each block once and takes no frame`() throws {
    let rig = try Rig()
    try filled(rig)
    let (store, calls) = try rig.openCounted(blocks: 2)
    let session = try rig.space(store).session(named: "chat")
    _ = calls.take()
    #expect(try rig.isWhole(session))
    #expect(calls.take() == CountingColdTier.Calls(planeReads: blockCount * rig.layout.planes.count))
    #expect(store.memoryStatistics.frameCount == 0)
  }

  @Test func `a gather ends where a block on disk is damaged, whichever thread finds it`() throws {
    let rig = try Rig()
    try filled(rig)
    let faulty = Lock<FaultyColdTier?>(nil)
    let store = try Store(
      at: rig.path, configuration: StoreConfiguration(memoryBudgetBytes: 2 * rig.layout.frameByteCount)
    ) { disk in
      let tier = FaultyColdTier(disk)
      faulty.withLock { $0 = tier }
      return tier
    }
    let space = try rig.space(store)
    let asked = tokens(0..<blockCount * rig.layout.blockTokenCount)
    let prefix = try space.longestPrefix(of: asked)
    let hashes = ChainHash.hashes(
      ofFullBlocksIn: asked, blockTokenCount: rig.layout.blockTokenCount, root: space.root)
    faulty.withLock { $0?.damage([10, 7, 4].map { BlockKey(space: space.id, hash: hashes[$0]) }) }
    var rows = [UInt8](repeating: 0, count: asked.count * rig.layout.planes[0].rowByteCount)
    let copied = try rows.withUnsafeMutableBytes { try prefix.gather(plane: 0, into: $0) }
    #expect(copied == 4 * rig.layout.blockTokenCount)
    let states = rig.rows.states(of: tokens(0..<copied))
    #expect(
      rows.withUnsafeBytes {
        rig.rows.matches(
          UnsafeRawBufferPointer(rebasing: $0[..<(copied * rig.layout.planes[0].rowByteCount)]), plane: 0,
          states: states[...])
      })
  }

  @Test func `a stored block takes little more of the disk than its frame`() throws {
    let rig = try Rig(blockTokenCount: 64, rowByteCount: 512, layerCount: 8)
    try filled(rig)
    let store = try rig.open(blocks: 2)
    let disk = try store.statistics().disk
    #expect(disk.uniqueBlockCount == blockCount)
    // A frame's last piece is rounded up to a page, or to 1/128 of a large frame; its record and its entries in the
    // tables come to a page at most, and the tables themselves to a few.
    let roundedUp = blockCount * max(4096, disk.compressedBytes / blockCount / 128)
    #expect(disk.usedBytes <= disk.compressedBytes + roundedUp + blockCount * 4096 + 24 * 4096)
  }
}
