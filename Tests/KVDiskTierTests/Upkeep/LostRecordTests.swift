import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

/// Records that are gone, or lie under keys that are not theirs, while what they spoke of is whole.
@Suite struct `lost records` {
  private typealias Planted = RepairTests.Planted

  private func change(
    _ planted: Planted, _ body: (Tables, inout WriteTransaction) throws(StoreError) -> Void
  ) throws {
    let tier = planted.store.tier
    try tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      try body(tier.tables, &transaction)
    }
  }

  private func blockCount(_ planted: Planted) throws -> Int { try planted.store.tier.storedBlockCount() }

  private func expectWhole(_ planted: Planted, _ comment: String) throws {
    #expect(try planted.untouched() == Set(planted.sessions.keys), "\(comment)")
    #expect(try planted.store.tier.audit(deep: true) == [], "\(comment)")
  }

  /// Of a session's key: a bit of the name that leaves it a name, one that does not, and one of the space.
  @Test(arguments: [(4, 0x01), (4, 0x80), (2, 0x01)] as [(Int, UInt8)])
  func `a session whose key has a flipped bit comes back under its own`(byte: Int, mask: UInt8) throws {
    let planted = try Planted()
    let blockCount = try blockCount(planted)
    for name in planted.sessions.keys.sorted() {
      let key = try Keys.session(planted.store.space.id, name)
      try change(planted) { (tables, transaction) throws(StoreError) in
        try PlantedDamage.move(key, in: tables.sessions, &transaction) { $0[byte] ^= mask }
      }
      #expect(try planted.store.tier.session(space: planted.store.space.id, name: name) == nil)
      let done = try planted.repair(cutsSessions: false)
      #expect(done.restoredSessionCount == 1 && done.droppedSessions == [] && done.droppedBlockCount == 0, "\(name)")
      #expect(done.correctedCountCount == 0 && done.deletedExtentCount == 0, "\(name): \(done)")
      try expectWhole(planted, name)
    }
    #expect(try self.blockCount(planted) == blockCount)
  }

  @Test func `a session under another's key gives way to the one that is there`() throws {
    let planted = try Planted()
    let space = planted.store.space.id
    let key = try Keys.session(space, "session 6")
    try change(planted) { (tables, transaction) throws(StoreError) in
      try PlantedDamage.move(key, in: tables.sessions, &transaction) { $0[4] ^= 1 }
    }
    _ = try planted.store.commit(planted.store.put("session 6", tokens(0..<16)))
    let done = try planted.repair(cutsSessions: false)
    #expect(done.restoredSessionCount == 0 && done.droppedSessions == ["ression 6"])
    #expect(try planted.store.tier.session(space: space, name: "session 6")?.tokens == tokens(0..<16))
    #expect(try planted.store.tier.audit(deep: true) == [])
  }

  @Test func `a long session whose entry is gone comes back from its body, a deleted one does not`() throws {
    let planted = try Planted()
    let space = planted.store.space.id
    _ = try planted.store.commit(.delete(space: space, name: "session 5"))
    let key = try Keys.session(space, "session 6")
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.remove(key, in: tables.sessions)
    }
    let kept = try planted.store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(kept.orphanedExtentCount == 0 && kept.keptExtentCount > 0)
    #expect(try planted.repair(cutsSessions: false).restoredSessionCount == 1)
    #expect(try planted.untouched() == Set(planted.sessions.keys).subtracting(["session 5"]))
    #expect(try planted.store.tier.audit(deep: true) == [])
  }

  /// Of a block's key: bits of the hash, bits that make a space that never was, and the space of number 0.
  @Test(arguments: [(10, 0x10), (35, 0x01), (2, 0x01), (3, 0x01)] as [(Int, UInt8)], [false, true])
  func `a block whose key has a flipped bit comes back, and nothing is cut or dropped`(
    flip: (byte: Int, mask: UInt8), cutsSessions: Bool
  ) throws {
    let planted = try Planted()
    let blockCount = try blockCount(planted)
    // One that many sessions share, a later one, and the first of a chain that no session holds.
    let shared = planted.store.chain(tokens(0..<48))
    let cached = planted.store.chain(tokens(0..<60, offset: 20_000))
    for block in [shared[0], shared[2], cached[0], cached[3]] {
      let key = Self.bytes(block.key)
      try change(planted) { (tables, transaction) throws(StoreError) in
        try PlantedDamage.move(key, in: tables.blocks, &transaction) { $0[flip.byte] ^= flip.mask }
      }
      let done = try planted.repair(cutsSessions: cutsSessions)
      #expect(done.restoredBlockCount == 1 && done.droppedBlockCount == 0 && done.cuts == [], "\(done)")
      #expect(try planted.store.isWhole(block))
      try expectWhole(planted, "\(block.key)")
    }
    #expect(try self.blockCount(planted) == blockCount)
  }

  @Test func `a session's block whose record is gone outlives a collection, and comes back`() throws {
    let planted = try Planted()
    let block = planted.store.chain(tokens(0..<48))[1]
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.remove(Keys.block(block.key).span.bytes, in: tables.blocks)
    }
    let kinds = try planted.store.tier.audit(deep: false).map(\.kind)
    #expect(Set(kinds).isSuperset(of: [.missingBlock, .orphanedExtent]))
    let report = try planted.store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(report.orphanedExtentCount == 0 && report.keptExtentCount == 1)
    #expect(try planted.repair(cutsSessions: true).cuts == [])
    try expectWhole(planted, "after a collection")
  }

  @Test func `a lost block that is stored again is the sessions' that hold it, and the quota leaves it`() throws {
    let planted = try Planted()
    let block = planted.store.chain(tokens(0..<48))[1]
    let count = try #require(try planted.store.tier.record(of: block.key)).sessionCount
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.remove(Keys.block(block.key).span.bytes, in: tables.blocks)
    }
    #expect(try planted.store.store([block]).writes == [.stored])
    #expect(try planted.store.tier.record(of: block.key)?.sessionCount == count)
    // The frame that lost its record is waste now.
    #expect(try planted.store.tier.audit(deep: true).map(\.kind) == [.orphanedExtent])
    let report = try planted.store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(report.orphanedExtentCount == 1 && report.keptExtentCount == 0)
    try expectWhole(planted, "stored again")
  }

  @Test func `what follows a lost block outlives a collection`() throws {
    let planted = try Planted()
    let chain = planted.store.chain(tokens(0..<60, offset: 40_000))
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.remove(Keys.block(chain[1].key).span.bytes, in: tables.blocks)
    }
    _ = try planted.store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    #expect(try planted.repair(cutsSessions: false).restoredBlockCount == 1)
    for block in chain { #expect(try planted.store.isWhole(block)) }
    try expectWhole(planted, "after a collection")
  }

  @Test func `what another's record hid comes back before anything is cut or dropped for its lack`() throws {
    let planted = try Planted()
    let chains = (1...3).map { planted.store.chain(tokens(0..<60, offset: 20_000 * $0)) }
    let shared = planted.store.chain(tokens(0..<48))
    // A cached block's record names the frame of a block that sessions hold, another's that of one that others follow.
    let hidden = [(lost: shared[1], liar: chains[0][3]), (lost: chains[2][1], liar: chains[1][3])]
    for (lost, liar) in hidden {
      let frame = try #require(try planted.store.tier.record(of: liar.key)).frame
      let (lostKey, liarKey) = (Self.bytes(lost.key), Self.bytes(liar.key))
      try change(planted) { (tables, transaction) throws(StoreError) in
        let record = try PlantedDamage.value(lostKey, in: tables.blocks, TransactionView(transaction)) ?? []
        try PlantedDamage.change(liarKey, in: tables.blocks, &transaction) { bytes in
          bytes.replaceSubrange(16..<40, with: record[16..<40])
          RecordWriter.reseal(&bytes)
        }
        try transaction.remove(lostKey, in: tables.blocks)
        try tables.deleteFrame(frame, &transaction)
      }
    }
    let done = try planted.repair(cutsSessions: true)
    #expect(done.restoredBlockCount == 2 && done.droppedBlockCount == 2 && done.cuts == [], "\(done)")
    for block in chains[2] { #expect(try planted.store.isWhole(block)) }
    try expectWhole(planted, "both frames are claimed by others")
  }

  private static func bytes(_ key: BlockKey) -> [UInt8] { Keys.block(key).span.withUnsafeBytes { Array($0) } }

  @Test func `an extent under another's key outlives a collection, and comes back`() throws {
    let planted = try Planted()
    let block = planted.store.chain(tokens(0..<48))[1]
    let frame = try #require(try planted.store.tier.record(of: block.key)).frame
    // A frame that never was, and a later piece of its own.
    for bit in [40, 3] {
      let key = withUnsafeBytes(of: frame.id << 16) { Array($0) }
      try change(planted) { (tables, transaction) throws(StoreError) in
        try PlantedDamage.move(key, in: tables.extents, &transaction) { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
      }
      let report = try planted.store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
      #expect(report.orphanedExtentCount == 0 && report.keptExtentCount == (bit == 40 ? 1 : 0))
      #expect(try planted.repair(cutsSessions: true).restoredExtentCount == 1)
      try expectWhole(planted, "bit \(bit)")
    }
  }

  @Test func `a space under another's number gets its own back`() throws {
    let planted = try Planted()
    let blockCount = try blockCount(planted)
    try change(planted) { (tables, transaction) throws(StoreError) in
      try PlantedDamage.move(Keys.space(planted.store.space.id), in: tables.spaces, &transaction) { $0[2] ^= 1 }
    }
    #expect(try planted.repair(cutsSessions: true).restoredSpaceCount == 1)
    #expect(try planted.store.tier.spaces() == [planted.store.space])
    #expect(try self.blockCount(planted) == blockCount)
    try expectWhole(planted, "all of the space")
  }

  @Test func `the record of a space whose root comes from a seed is given to no other`() throws {
    let planted = try Planted()
    let store = planted.store
    let seeded = ModelFingerprint(model: "a", vllmSeed: "0")
    let space = try store.tier.findOrCreateSpace(fingerprint: seeded, layout: store.layout)
    let twin = try store.tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "b", vllmSeed: "0"), layout: store.layout)
    #expect(space.root == twin.root && space.id != twin.id)
    let block = BlockDescriptor(space: space.id, parent: space.root, tokens: tokens(0..<16))
    _ = try store.tier.commit(ColdBatch(writes: [try store.write(block)]), isProtected: { _ in false })
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.remove(Keys.space(space.id), in: tables.spaces)
    }
    #expect(try planted.repair(cutsSessions: true).restoredSpaceCount == 0)
    #expect(try store.tier.space(twin.id) == twin)
    #expect(try store.tier.audit(deep: true).map(\.kind) == [.space])
  }

  @Test(arguments: [false, true])
  func `a space without a readable record keeps its blocks and sessions, whatever is collected or repaired`(
    isGone: Bool
  ) throws {
    let planted = try Planted()
    let (store, blockCount) = (planted.store, try blockCount(planted))
    let key = Keys.space(store.space.id)
    try change(planted) { (tables, transaction) throws(StoreError) in
      if isGone {
        try transaction.remove(key, in: tables.spaces)
      } else {
        try PlantedDamage.change(key, in: tables.spaces, &transaction) { $0[40] ^= 1 }
      }
    }
    let found = try store.tier.audit(deep: true)
    #expect(found.map(\.kind) == [.space] && found.first?.space == store.space.id)
    _ = try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    for cutsSessions in [false, true] { #expect(try planted.repair(cutsSessions: cutsSessions).didNothing) }
    #expect(try self.blockCount(planted) == blockCount)
    try change(planted) { (tables, transaction) throws(StoreError) in
      try transaction.write(key, SpaceFormat.encode(store.space), in: tables.spaces)
    }
    try expectWhole(planted, "the record came back from a copy")
  }
}
