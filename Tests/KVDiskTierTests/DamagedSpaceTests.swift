import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

@Suite struct `a space whose record cannot be read` {
  private func makeStore(damagedAt offset: Int) throws -> (store: TestStore, other: SpaceRecord) {
    var store = try TestStore()
    try store.store(store.chain(tokens(0..<40)))
    _ = try store.commit(store.put("chat", tokens(0..<40)))
    let other = try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "other"), layout: store.layout)
    let (tables, id) = (store.tier.tables, store.space.id)
    try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      try PlantedDamage.change(Keys.space(id), in: tables.spaces, &transaction) { record in
        record[offset < 0 ? record.count + offset : offset] ^= 4
      }
    }
    try store.reopen()
    return (store, other)
  }

  /// In the root, in the model's name, in the seal.
  @Test(arguments: [10, 41, -3]) func `leaves the others as useful as they were`(offset: Int) throws {
    let (store, other) = try makeStore(damagedAt: offset)
    var damaged: [SpaceID?] = []
    #expect(try store.tier.spaces { id, _ in damaged.append(id) } == [other])
    #expect(damaged == [store.space.id])
    #expect(try store.tier.statistics().damagedRecordCount == 1)
    #expect(try store.tier.findOrCreateSpace(fingerprint: other.fingerprint, layout: other.layout) == other)
    let block = BlockDescriptor(space: other.id, parent: other.root, tokens: tokens(0..<16))
    let batch = ColdBatch(writes: [try store.write(block)])
    #expect(try store.tier.commit(batch, isProtected: { _ in false }).writes == [.stored])
    let new = try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "new"), layout: store.layout)
    #expect(new.id.rawValue == 3)
    #expect(try store.tier.session(space: store.space.id, name: "chat")?.tokens == tokens(0..<40))
  }

  @Test(arguments: [10, 41, -3], [DiskTierOptions.Access.readOnly, .readWrite])
  func `is neither written over nor made a second time`(offset: Int, access: DiskTierOptions.Access) throws {
    var (store, _) = try makeStore(damagedAt: offset)
    try store.reopen(options: DiskTierOptions(access: access))
    let before = try self.record(of: store)
    let error = #expect(throws: StoreError.self) {
      try store.tier.findOrCreateSpace(fingerprint: store.space.fingerprint, layout: store.layout)
    }
    #expect(error?.code == .damaged)
    #expect(try self.record(of: store) == before)
    #expect(try store.tier.spaces().count == 1)
  }

  @Test func `keeps its number when the counters forget it`() throws {
    let (store, _) = try makeStore(damagedAt: 41)
    let before = try record(of: store)
    let tables = store.tier.tables
    try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let low = StoreCounters(nextSpace: 1, nextFrame: 100, lastRevision: 100)
      try transaction.write(StoreCounters.key, low.encoded(), in: tables.meta)
    }
    let new = try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "new"), layout: store.layout)
    #expect(new.id.rawValue == 3)
    #expect(try record(of: store) == before)
  }

  @Test func `is no other model's after a salvage, although both have a root from one seed`() throws {
    let store = try TestStore()
    let seeded = ModelFingerprint(model: "another", vllmSeed: "0")
    let lost = SpaceRecord(
      id: SpaceID(rawValue: 7), fingerprint: .placeholder(for: SpaceID(rawValue: 7)), layout: store.layout,
      root: seeded.rootHash(layout: store.layout))
    try store.tier.adopt(spaces: [lost])
    #expect(try store.tier.findOrCreateSpace(fingerprint: seeded, layout: store.layout).id != lost.id)
    #expect(try store.tier.space(lost.id) == lost)
  }

  private func record(of store: TestStore) throws -> [UInt8]? {
    let (tables, id) = (store.tier.tables, store.space.id)
    return try store.tier.environment.read { (transaction) throws(StoreError) in
      try PlantedDamage.value(Keys.space(id), in: tables.spaces, TransactionView(transaction))
    }
  }
}
