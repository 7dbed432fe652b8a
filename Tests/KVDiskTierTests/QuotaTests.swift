import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

struct QuotaTests {
  /// Blocks of 64 KiB of noise: 17 pages a frame.
  private func makeStore(quotaBytes: Int) throws -> TestStore {
    try TestStore(
      options: DiskTierOptions(quotaBytes: quotaBytes),
      layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 1024))
  }

  @Test func `the least recently used chain is deleted first, its tail before its root`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let old = store.chain(tokens(0..<128))
    let new = store.chain(tokens(0..<128, offset: 1000))
    var deletedCount = try store.store(old, base: 1000).deletedBlockCount
    #expect(deletedCount == 0)
    deletedCount = try store.store(new, base: 2000).deletedBlockCount
    #expect(deletedCount > 0)
    let left = try old.map { try store.tier.contains($0.key) }
    #expect(left == (0..<8).map { $0 < 8 - deletedCount })
    for block in new { #expect(try store.isWhole(block)) }
    #expect(try store.tier.statistics().usedBytes <= 1 << 20)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a touched chain outlives one that was stored after it`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let first = store.chain(tokens(0..<64))
    let second = store.chain(tokens(0..<64, offset: 1000))
    try store.store(first, base: 1000)
    try store.store(second, base: 2000)
    let touches = first.enumerated().map { ColdBatch.Touch(key: $1.key, lastUse: 3000 + UInt64(4 - $0)) }
    _ = try store.tier.commit(ColdBatch(touches: touches), isProtected: { _ in false })
    let deleted = try store.store(store.chain(tokens(0..<112, offset: 2000)), base: 4000).deletedBlockCount
    #expect((1...4).contains(deleted))
    for block in first { #expect(try store.tier.contains(block.key)) }
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `no block of a session is deleted, and a quota full of them says the remedy`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let kept = tokens(0..<192)
    try store.store(store.chain(kept), base: 1000)
    _ = try store.commit(store.put("a", kept))
    for round in 1...6 {
      try store.store(store.chain(tokens(0..<64, offset: 1000 * round)), base: UInt64(1000 * round))
    }
    for block in store.chain(kept) { #expect(try store.isWhole(block)) }
    let second = tokens(0..<64, offset: 9000)
    let writes = try store.chain(second).map { try store.write($0) }
    let before = try store.tier.statistics()
    let error = #expect(throws: StoreError.self) {
      try store.tier.commit(
        ColdBatch(writes: writes, operations: [store.put("b", second)]), isProtected: { _ in false })
    }
    #expect(error?.code == .quotaFull)
    #expect(try store.tier.statistics() == before)
    #expect(try store.tier.session(space: store.space.id, name: "b") == nil)
    // The remedy works.
    _ = try store.commit(.delete(space: store.space.id, name: "a"))
    let retry = try store.tier.commit(
      ColdBatch(writes: writes, operations: [store.put("b", second)]), isProtected: { _ in false })
    guard case .done = retry.operations[0] else { throw TestFailure("\(retry.operations)") }
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a protected block stays, and its parents with it`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let held = store.chain(tokens(0..<64))
    try store.store(held, base: 1)
    let protected = held[3].key
    for round in 1...5 {
      let chain = store.chain(tokens(0..<96, offset: 1000 * round))
      let writes = try chain.enumerated().map { try store.write($1, lastUse: UInt64(1000 * round + 6 - $0)) }
      _ = try store.tier.commit(ColdBatch(writes: writes), isProtected: { $0 == protected })
    }
    for block in held { #expect(try store.isWhole(block)) }
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a block deleted before its descendants takes them along`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let chain = store.chain(tokens(0..<64))
    // The root is stamped oldest: a use of the deeper blocks alone.
    let writes = try chain.enumerated().map { try store.write($1, lastUse: UInt64($0 + 1)) }
    _ = try store.tier.commit(ColdBatch(writes: writes), isProtected: { _ in false })
    try store.store(store.chain(tokens(0..<192, offset: 1000)), base: 1000)
    #expect(try chain.map { try store.tier.contains($0.key) } == [false, false, false, false])
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a circle among the listed children ends, and all of it can be deleted`() throws {
    var store = try makeStore(quotaBytes: 1 << 30)
    let chain = store.chain(tokens(0..<64))
    try store.store(chain)
    try list(chain[0], under: chain[3], in: store)
    try list(chain[1], under: chain[1], in: store)
    try store.reopen(options: DiskTierOptions(quotaBytes: 0))
    let report = try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(report.deletedBlockCount == 4)
    #expect(try store.tier.storedBlockCount() == 0)
  }

  @Test func `a child that is listed under another's block is not deleted with it`() throws {
    let store = try makeStore(quotaBytes: 1 << 20)
    let (old, other) = (store.chain(tokens(0..<16)), store.chain(tokens(0..<64, offset: 1000)))
    try store.store(other, base: 2000)
    try store.store(old, base: 1)
    try list(other[0], under: old[0], in: store)
    let used = try store.tier.statistics().usedBytes
    let deleted = try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var keeper = QuotaKeeper(tables: store.tier.tables, targetPageCount: used / 4096 - 1)
      _ = try keeper.run(&transaction, isProtected: { _ in false })
      return keeper.deletedBlockCount
    }
    #expect(deleted == 1)
    for block in other { #expect(try store.isWhole(block)) }
  }

  private func list(_ child: BlockDescriptor, under parent: BlockDescriptor, in store: TestStore) throws {
    let tables = store.tier.tables
    try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let entry = Keys.child(of: parent.key, hash: child.key.hash)
      try transaction.write(entry.span.bytes, RawSpan(), in: tables.children)
    }
  }

  @Test func `a smaller quota is reached by a collection`() throws {
    var store = try makeStore(quotaBytes: 8 << 20)
    for round in 0..<10 {
      try store.store(store.chain(tokens(0..<128, offset: 1000 * round)), base: UInt64(round * 100))
    }
    try store.reopen(options: DiskTierOptions(quotaBytes: 1 << 20))
    let report = try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(report.deletedBlockCount > 60)
    #expect(report.freedBytes > 4 << 20)
    #expect(try store.tier.statistics().usedBytes <= 1 << 20)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `the file stays at the quota through many turnovers`() throws {
    let quota = 8 << 20
    let store = try makeStore(quotaBytes: quota)
    for round in 0..<100 {
      try store.store(store.chain(tokens(0..<64, offset: 1000 * round)), base: UInt64(round * 1000))
    }
    let statistics = try store.tier.statistics()
    #expect(statistics.usedBytes <= quota)
    #expect(statistics.diskBytes <= quota + quota / 50)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a map that is full is an error, and the store reads and works on`() throws {
    let store = try TestStore(
      options: DiskTierOptions(mapSizeBytes: 1 << 20), layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 1024)
    )
    let first = store.chain(tokens(0..<64))
    try store.store(first)
    let error = #expect(throws: StoreError.self) { try store.store(store.chain(tokens(0..<256, offset: 1000))) }
    #expect(error?.code == .mapFull)
    for block in first { #expect(try store.isWhole(block)) }
    #expect(try store.store(store.chain(tokens(0..<16, offset: 5000))).writes == [.stored])
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `blocks of no session give way where the map is full`() throws {
    let store = try TestStore(
      options: DiskTierOptions(mapSizeBytes: 2 << 20), layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 1024)
    )
    let kept = tokens(0..<64)
    try store.store(store.chain(kept))
    _ = try store.commit(store.put("kept", kept))
    var deletedCount = 0
    for round in 1...10 {
      deletedCount += try store.store(
        store.chain(tokens(0..<128, offset: 1000 * round)), base: UInt64(round * 1000)
      ).deletedBlockCount
    }
    #expect(deletedCount > 40)
    for block in store.chain(kept) { #expect(try store.isWhole(block)) }
    for block in store.chain(tokens(0..<128, offset: 10_000)) { #expect(try store.isWhole(block)) }
    // A session's blocks never do.
    var names = 0
    let error = #expect(throws: StoreError.self) {
      for round in 20..<40 {
        let tokens = tokens(0..<128, offset: 1000 * round)
        let writes = try store.chain(tokens).map { try store.write($0) }
        _ = try store.tier.commit(
          ColdBatch(writes: writes, operations: [store.put("\(round)", tokens)]), isProtected: { _ in false })
        names += 1
      }
    }
    #expect(error?.code == .mapFull)
    #expect(names > 0)
    for block in store.chain(tokens(0..<128, offset: 20_000)) + store.chain(kept) {
      #expect(try store.isWhole(block))
    }
    #expect(try store.tier.audit(deep: true) == [])
    // What a deleted session leaves makes room at once.
    #expect(try store.commit(.delete(space: store.space.id, name: "20")) == [.done(revision: 0)])
    #expect(try store.store(store.chain(tokens(0..<112, offset: 50_000))).deletedBlockCount > 0)
    #expect(try store.tier.audit(deep: true) == [])
  }
}
