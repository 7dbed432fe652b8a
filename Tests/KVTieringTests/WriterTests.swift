import KVBlocks
import KVSimulation
import KVTiering
import Testing

private let diskFull = StoreError(.diskFull, "the disk is full; make room")

@Suite struct CommitTests {
  @Test func `a commit is one transaction with its blocks, parents first`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 5, tailTokens: 2)
    try bench.put(chain)
    #expect(try bench.commit("one", chain) == 1)
    #expect(bench.cold.batches == [chain.map(\.key)])
    #expect(bench.cold.session("one", in: Bench.space)?.blocks == chain.map(\.key.hash))
    let statistics = bench.pager.statistics
    #expect(statistics.commits == 1 && statistics.batches == 1 && statistics.writeBacks == 5)
    #expect(statistics.bytesWritten == UInt64((4 * 4 + 2) * 32) && statistics.dirtyBlocks == 0)
    bench.assertInvariants()
  }

  @Test func `a commit writes what it needs and leaves other dirty blocks for later`() throws {
    let bench = Bench(frames: 100)
    let mine = bench.chain(1, 3)
    let other = bench.chain(2, 3)
    try bench.put(other)
    try bench.put(mine)
    // The tail alone is named; its dirty ancestors go with it.
    _ = try bench.pager.commit(
      .put(bench.record("mine", mine), checkpoint: .keep, condition: .absent), requiring: [mine[2].key])
    #expect(bench.cold.batches == [mine.map(\.key)])
    #expect(bench.pager.statistics.dirtyBlocks == 3)
    try bench.pager.close()
    #expect(bench.cold.storedKeys.count == 6)
  }

  @Test func `a commit larger than a batch sends its first blocks ahead`() throws {
    let bench = Bench(frames: 100, batchFrames: 4)
    let chain = bench.chain(1, 10)
    // The writer starts by itself at four frames; it must not take part here.
    try bench.put(Array(chain[..<3]))
    bench.faulty.failCommits(with: [diskFull])
    #expect(throws: StoreError.self) { try bench.pager.writeBack() }
    try bench.put(Array(chain[3...]))
    try bench.commit("long", chain)
    #expect(bench.cold.batches.map(\.count) == [4, 4, 2])
    #expect(bench.cold.batches.flatMap { $0 } == chain.map(\.key))
    bench.assertInvariants()
  }

  @Test func `commits that wait together share a transaction`() throws {
    let gate = Gate()
    let bench = Bench(frames: 100, beforeCommit: { gate.pass() })
    let chains = (0..<5).map { bench.chain($0 + 1, 2) }
    for chain in chains { try bench.put(chain) }
    let revisions = Lock<[UInt64]>([])
    onThreads(6) { index in
      if index < 5 {
        if index > 0 { gate.waitForArrivals(1) }
        let revision = try? bench.commit("session \(index)", chains[index])
        revisions.withLock { $0.append(revision ?? 0) }
      } else {
        gate.waitForArrivals(1)
        waitUntil { bench.pager.waitingRequestCount == 4 }
        gate.open()
      }
    }
    #expect(revisions.withLock { $0 } == [1, 1, 1, 1, 1])
    #expect(bench.pager.statistics.batches == 2 && bench.pager.statistics.commits == 5)
    bench.assertInvariants()
  }

  @Test func `an operation's own failure is its own`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 2)
    try bench.put(chain)
    try bench.commit("name", chain)
    let error = #expect(throws: StoreError.self) { try bench.commit("name", chain) }
    #expect(error?.code == .alreadyExists)
    _ = try bench.pager.commit(.rename(space: Bench.space, from: "name", to: "new"), requiring: [])
    _ = try bench.pager.commit(.delete(space: Bench.space, name: "new"), requiring: [])
    bench.assertInvariants()
  }

  @Test func `a failed commit loses nothing and the next one succeeds`() throws {
    let bench = Bench(frames: 4)
    let chain = bench.chain(1, 2)
    try bench.put(chain[0])
    bench.faulty.failCommits(with: [diskFull, diskFull])
    #expect(throws: diskFull) { try bench.commit("a", [chain[0]]) }
    #expect(throws: diskFull) { try bench.pager.writeBack() }
    #expect(bench.pager.statistics.dirtyBlocks == 1 && bench.pager.statistics.failedBatches == 2)
    #expect(try bench.readBack([chain[0]]) == 1)
    bench.faulty.failEncodes(with: [StoreError(.inputOutput, "no")])
    #expect(throws: StoreError.self) { try bench.commit("a", [chain[0]]) }
    bench.assertInvariants()
    #expect(try bench.commit("a", [chain[0]]) == 1)
    #expect(bench.pager.statistics.dirtyBlocks == 0)
    bench.assertInvariants()
  }

  @Test func `a frame that needs a write-back gets the writer's error, and a frame once the disk is well`() throws {
    let bench = Bench(frames: 2)
    let chain = bench.chain(1, 3)
    bench.faulty.faults.commitFailureShare = 1
    try bench.put(Array(chain[..<2]))
    let error = #expect(throws: StoreError.self) { try bench.put(chain[2]) }
    #expect(error?.code == .inputOutput)
    #expect(try bench.readBack(Array(chain[..<2])) == 2)
    bench.assertInvariants()
    bench.faulty.faults.commitFailureShare = 0
    try bench.put(chain[2])
    try bench.commit("a", chain)
    bench.assertInvariants()
  }

  @Test func `blocks deleted behind the pager's back are written again from RAM`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 4)
    try bench.store(chain)
    bench.cold.delete([chain[1].key])
    #expect(bench.cold.storedKeys == [chain[0].key])
    #expect(try bench.commit("a", chain) == 1)
    #expect(bench.cold.batches.last == [chain[1].key, chain[2].key, chain[3].key])
    bench.assertInvariants()
  }

  @Test func `loaded blocks that were deleted are written again if the session can describe them`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 3)
    try bench.store(chain)
    let other = bench.reopened(frames: 100)
    #expect(try bench.readBack(chain, from: other) == 3)
    bench.cold.delete([chain[0].key])
    let operation = SessionOperation.put(bench.record("a", chain), checkpoint: .keep, condition: .absent)
    let error = #expect(throws: StoreError.self) {
      _ = try other.commit(operation, requiring: chain.map(\.key))
    }
    #expect(error?.code == .blockLost)
    other.assertInvariants()
    let revision = try other.commit(
      operation, requiring: chain.map(\.key), describing: { key in chain.first { $0.key == key } })
    #expect(revision == 1)
    other.assertInvariants()
    bench.cold.assertInvariants()
  }

  @Test func `blocks in neither tier are named as lost`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 3)
    let error = #expect(throws: StoreError.self) { try bench.commit("a", chain) }
    #expect(error?.code == .blockLost)
    #expect(error?.message.contains(chain[0].key.hash.shortDescription) == true)
    bench.assertInvariants()
  }
}

@Suite struct QuotaTests {
  @Test func `cache blocks that the full quota refuses are dropped and counted, and stay readable`() throws {
    let bench = Bench(frames: 100, quotaBlocks: 3)
    let session = bench.chain(1, 3)
    try bench.put(session)
    try bench.commit("a", session)
    let cache = bench.chain(2, 2)
    try bench.put(cache)
    try bench.pager.writeBack()
    #expect(bench.pager.statistics.dropped == 2 && bench.pager.statistics.dirtyBlocks == 0)
    #expect(try bench.readBack(cache) == 2)
    #expect(bench.cold.storedKeys == Set(session.map(\.key)))
    bench.assertInvariants()
  }

  @Test func `protected blocks are refused with the quota's error and stay dirty`() throws {
    let bench = Bench(frames: 100, quotaBlocks: 3)
    let session = bench.chain(1, 3)
    try bench.put(session)
    try bench.commit("a", session)
    let next = bench.chain(2, 2)
    let keys = next.map(\.key)
    bench.pager.protect(keys)
    try bench.put(next)
    let error = #expect(throws: StoreError.self) { try bench.commit("b", next) }
    #expect(error?.code == .quotaFull)
    #expect(bench.pager.statistics.dirtyBlocks == 2 && bench.pager.statistics.dropped == 0)
    _ = try bench.pager.commit(.delete(space: Bench.space, name: "a"), requiring: [])
    #expect(try bench.commit("b", next) == 1)
    bench.pager.unprotect(keys)
    #expect(!bench.pager.isProtected(keys[0]))
    bench.assertInvariants()
  }

  @Test func `an unprotected neighbour does not keep a protected block from disk`() throws {
    let bench = Bench(frames: 100, quotaBlocks: 3)
    let session = bench.chain(1, 2)
    try bench.put(session)
    try bench.commit("a", session)
    let cache = bench.chain(2, 2)
    let mine = bench.chain(3, 1)
    bench.pager.protect([mine[0].key])
    try bench.put(cache)
    try bench.put(mine)
    try bench.pager.writeBack()
    #expect(bench.cold.storedKeys == Set((session + mine).map(\.key)))
    #expect(bench.pager.statistics.dropped == 2 && bench.pager.statistics.dirtyBlocks == 0)
    bench.pager.unprotect([mine[0].key])
    bench.assertInvariants()
  }

  @Test func `a block that the quota kept from disk is written when a session protects it`() throws {
    let bench = Bench(frames: 100, quotaBlocks: 2)
    let session = bench.chain(1, 2)
    try bench.put(session)
    try bench.commit("a", session)
    let next = bench.chain(2, 2)
    try bench.put(next[0])
    try bench.pager.writeBack()
    #expect(bench.pager.statistics.dropped == 1)
    _ = try bench.pager.commit(.delete(space: Bench.space, name: "a"), requiring: [])
    bench.pager.protect(next.map(\.key))
    #expect(bench.pager.statistics.dirtyBlocks == 1)
    try bench.put(next[1])
    #expect(try bench.commit("b", next) == 1)
    bench.pager.unprotect(next.map(\.key))
    bench.assertInvariants()
  }

  @Test func `one session too large for the quota does not fail its neighbours' commits`() throws {
    let gate = Gate()
    let bench = Bench(frames: 100, quotaBlocks: 4, beforeCommit: { gate.pass() })
    let small = [bench.chain(1, 1), bench.chain(2, 1), bench.chain(3, 1)]
    let large = bench.chain(4, 6)
    for chain in small + [large] { try bench.put(chain) }
    let results = Lock<[String: Bool]>([:])
    onThreads(5) { index in
      switch index {
      case 0:
        _ = try? bench.commit("small 0", small[0])
      case 1...3:
        gate.waitForArrivals(1)
        let chain = index == 3 ? large : small[index]
        let revision = try? bench.commit("session \(index)", chain)
        results.withLock { $0["session \(index)"] = revision != nil }
      default:
        gate.waitForArrivals(1)
        waitUntil { bench.pager.waitingRequestCount == 3 }
        gate.open()
      }
    }
    #expect(results.withLock { $0 } == ["session 1": true, "session 2": true, "session 3": false])
    bench.assertInvariants()
  }

  @Test func `the quota deletes the least recently used cache blocks, leaves first`() throws {
    let bench = Bench(frames: 100, quotaBlocks: 6)
    let chains = [bench.chain(1, 3), bench.chain(2, 3), bench.chain(3, 2)]
    try bench.store(chains[0])
    try bench.store(chains[1])
    _ = try bench.pager.availablePrefix(of: chains[0].map(\.key.hash), in: Bench.space)
    try bench.store(chains[2])
    #expect(bench.cold.storedKeys == Set((chains[0] + [chains[1][0]] + chains[2]).map(\.key)))
    #expect(bench.pager.statistics.quotaDeletions == 2)
    bench.assertInvariants()
  }

  @Test func `a block whose parent was deleted is written after its parent, or dropped`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 3)
    try bench.store(Array(chain[..<2]))
    try bench.put(chain[2])
    bench.cold.delete([chain[0].key])
    try bench.pager.writeBack()
    #expect(bench.cold.storedKeys == Set(chain.map(\.key)))
    bench.assertInvariants()

    let other = bench.reopened(frames: 100)
    let child = BlockDescriptor(space: Bench.space, parent: chain[2].key.hash, tokens: [1])
    try bench.put(child, in: other)
    bench.cold.delete([chain[0].key])
    try other.writeBack()
    #expect(other.statistics.dropped == 1 && other.statistics.dirtyBlocks == 0)
    other.assertInvariants()
  }
}

@Suite struct ClosingTests {
  @Test func `closing writes back what is dirty, and every later call says closed`() throws {
    let bench = Bench(frames: 100)
    let chain = bench.chain(1, 3)
    try bench.put(chain)
    let open = try bench.pager.openFrame(layout: bench.layout)
    let lease = try bench.pager.pin(chain.map(\.key), layout: bench.layout)
    try bench.pager.close()
    #expect(bench.cold.storedKeys.count == 3)
    // A lease keeps its frames.
    for index in 0..<3 { #expect(bench.holds(lease.bytes(of: index), chain[index])) }
    func code(_ body: () throws(StoreError) -> Void) -> StoreError.Code? {
      do throws(StoreError) {
        try body()
        return nil
      } catch { return error.code }
    }
    let keys = chain.map(\.key)
    let sealed: StoreError.Code?
    do throws(StoreError) {
      _ = try bench.pager.seal(open, as: bench.chain(2, 1)[0], layout: bench.layout)
      sealed = nil
    } catch {
      sealed = error.code
    }
    #expect(sealed == .closed)
    #expect(code { () throws(StoreError) in _ = try bench.pager.openFrame(layout: bench.layout) } == .closed)
    #expect(code { () throws(StoreError) in _ = try bench.pager.pin(keys, layout: bench.layout) } == .closed)
    #expect(code { () throws(StoreError) in _ = try bench.pager.isAvailable(keys[0]) } == .closed)
    #expect(code { () throws(StoreError) in try bench.pager.writeBack() } == .closed)
    #expect(code { () throws(StoreError) in try bench.pager.close() } == .closed)
    bench.pager.prefetch(keys, layout: bench.layout)
    bench.pager.assertInvariants()
  }

  @Test func `closing on a sick disk says so and ends all the same`() throws {
    let bench = Bench(frames: 100)
    try bench.put(bench.chain(1, 2))
    bench.faulty.faults.commitFailureShare = 1
    let error = #expect(throws: StoreError.self) { try bench.pager.close() }
    #expect(error?.code == .inputOutput)
    #expect(bench.pager.statistics.dirtyBlocks == 2)
    bench.pager.assertInvariants()
  }

  @Test func `a pager that is let go stops its threads by itself`() throws {
    let cold = MemoryColdTier(roots: [Bench.rootKey])
    let layout = Bench.makeLayout()
    let descriptor = BlockDescriptor(space: Bench.space, parent: Bench.root, tokens: [1])
    do {
      let pager = Pager(configuration: PagerConfiguration(memoryBudgetBytes: 1 << 16), cold: cold)
      let frame = try pager.openFrame(layout: layout)
      frame.bytes.initializeMemory(as: UInt8.self, repeating: 0)
      _ = try pager.seal(frame, as: descriptor, layout: layout)
    }
    #expect(cold.storedKeys == [descriptor.key])
  }

  @Test func `work for the writer thread runs between batches and its error comes back`() throws {
    let bench = Bench(frames: 4)
    let chain = bench.chain(1, 1)
    bench.pager.protect([chain[0].key])
    let pager = bench.pager
    let found = try pager.performOnWriter { () throws(StoreError) -> [Bool] in
      [pager.isProtected(chain[0].key), pager.isProtected(Bench.rootKey)]
    }
    #expect(found == [true, false])
    #expect(throws: diskFull) { try pager.performOnWriter { () throws(StoreError) -> Void in throw diskFull } }
    pager.unprotect([chain[0].key])
  }
}
