import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

struct DamageTests {
  /// Changes bytes of one entry's value through LMDB, as a bit that went bad in a leaf page would.
  private func damage(_ store: TestStore, _ key: [UInt8], in table: Table, at offset: Int) throws {
    try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var bytes = try Self.copy(key, in: table, transaction)
      bytes[offset] ^= 0x10
      try transaction.write(key, bytes, in: table)
    }
  }

  private static func copy(
    _ key: [UInt8], in table: Table, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> [UInt8] {
    let span = key.span
    guard let value = try transaction.read(span.bytes, in: table) else { throw StoreError(.notFound, "no entry") }
    return value.withUnsafeBytes { Array($0) }
  }

  private func bytes(_ key: InlineArray<36, UInt8>) -> [UInt8] {
    key.span.withUnsafeBytes { Array($0) }
  }

  @Test func `a frame with a bad byte is a miss, a finding, and healed by a write`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<32))
    try store.store(chain)
    _ = try store.commit(store.put("a", tokens(0..<32)))
    let record = try #require(try store.tier.record(of: chain[0].key))
    let key = withUnsafeBytes(of: record.frame.id << 16) { Array($0) }
    try damage(store, key, in: store.tier.tables.extents, at: 16 + record.frame.byteCount - 5)
    guard case .damaged = try store.load(chain[0]).0 else { throw TestFailure("not noticed") }
    #expect(try store.isWhole(chain[1]))
    #expect(try store.tier.audit(deep: false) == [])
    let findings = try store.tier.audit(deep: true)
    #expect(findings.map(\.kind) == [.frame, .missingBlock])
    #expect(findings.first?.holders == ["a"] && findings.last?.session == "a" && findings.last?.wholeTokenCount == 0)
    let again = try store.write(chain[0], replacesDamaged: true)
    #expect(try store.tier.commit(ColdBatch(writes: [again]), isProtected: { _ in false }).writes == [.stored])
    #expect(try store.isWhole(chain[0]))
    #expect(try store.tier.record(of: chain[0].key)?.sessionCount == 1)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test(arguments: [true, false])
  func `a block's record with a bad byte is a miss, and a write brings it back with its count`(isHeld: Bool) throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<32))
    try store.store(chain)
    if isHeld { _ = try store.commit(store.put("a", tokens(0..<32))) }
    try damage(store, bytes(Keys.block(chain[1].key)), in: store.tier.tables.blocks, at: 95)
    guard case .damaged = try store.load(chain[1]).0 else { throw TestFailure("not noticed") }
    #expect(try store.tier.children(of: chain[0].key.hash, in: store.space.id) == [])
    #expect(try store.tier.audit(deep: false).contains { $0.kind == .record && $0.block == chain[1].key })
    #expect(try store.tier.statistics().damagedRecordCount == 1)
    // A session that needs it is told that it is missing.
    #expect(try store.commit(store.put("b", tokens(0..<32))) == [.missingBlocks([chain[1].key.hash])])
    #expect(try store.store([chain[1]]).writes == [.stored])
    #expect(try store.isWhole(chain[1]))
    #expect(try store.tier.record(of: chain[1].key)?.sessionCount == (isHeld ? 1 : 0))
    // The frame that the damaged record lost is garbage now.
    #expect(try store.tier.audit(deep: true).map(\.kind) == [.orphanedExtent])
    #expect(try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false }).orphanedExtentCount == 1)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a session's record with a bad byte is an error, and the other sessions are read`() throws {
    let store = try TestStore()
    try store.store(store.chain(tokens(0..<32)))
    _ = try store.commit(store.put("a", tokens(0..<32)), store.put("b", tokens(0..<16)))
    try damage(store, try Keys.session(store.space.id, "a"), in: store.tier.tables.sessions, at: 120)
    let error = #expect(throws: StoreError.self) { try store.tier.session(space: store.space.id, name: "a") }
    #expect(error?.code == .damaged)
    #expect(try store.tier.session(space: store.space.id, name: "b")?.tokens == tokens(0..<16))
    #expect(try store.tier.audit(deep: false).contains { $0.session == "a" && $0.kind == .record })
  }

  @Test func `counters that are damaged refuse every write`() throws {
    let store = try TestStore()
    try damage(store, StoreCounters.key, in: store.tier.tables.meta, at: 9)
    let error = #expect(throws: StoreError.self) { try store.store(store.chain(tokens(0..<16))) }
    #expect(error?.code == .damaged)
  }

  @Test(arguments: [0, 4, 8, 10, 12, 14])
  func `a frame whose pages' header has a bad byte is deleted without freeing other pages`(offset: Int) throws {
    var store = try TestStore(layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 1024))
    let lost = store.chain(tokens(0..<16))
    let kept = store.chain(tokens(0..<64, offset: 1000))
    try store.store(lost)
    try store.store(kept)
    _ = try store.commit(store.put("a", tokens(0..<16)), store.put("b", tokens(0..<64, offset: 1000)))
    let record = try #require(try store.tier.record(of: lost[0].key))
    store.tier.close()
    // An extent begins 16 bytes after its pages do, with its magic number; its frame's id stands at offset 8 of it.
    let bytes = store.directory.contents()
    let page = try #require(
      stride(from: 0, to: bytes.count, by: 4096).first { start in
        bytes.withUnsafeBytes {
          $0.loadUnaligned(fromByteOffset: start + 16, as: UInt32.self) == ExtentFormat.magic
            && $0.loadUnaligned(fromByteOffset: start + 24, as: UInt64.self) == record.frame.id
        }
      })
    // The page's number nearby and far away, the padding that nobody reads, the flags, the count of pages.
    store.directory.overwrite(
      at: page + offset, with: [bytes[page + offset] ^ 0x51])
    try store.reopen()
    _ = try store.commit(.delete(space: store.space.id, name: "a"))
    _ = try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var keeper = QuotaKeeper(tables: store.tier.tables, targetPageCount: 0)
      return try keeper.run(&transaction, isProtected: { _ in false })
    }
    #expect(try !store.tier.contains(lost[0].key))
    for round in 2..<6 { try store.store(store.chain(tokens(0..<64, offset: 1000 * round))) }
    for block in kept { #expect(try store.isWhole(block)) }
    // What could not be deleted safely is all that is left over.
    let leftOver = try store.tier.audit(deep: true).map(\.kind)
    #expect(leftOver == (offset == 8 ? [] : [.orphanedExtent]))
    #expect(try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in true }).orphanedExtentCount == 0)
    for block in kept { #expect(try store.isWhole(block)) }
  }

  @Test func `missing and surplus entries are found`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<48))
    try store.store(chain)
    let tables = store.tier.tables
    try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      try tables.removeRecency(chain[0].key, 3, &transaction)
      let child = Keys.child(of: chain[0].key, hash: chain[1].key.hash)
      try transaction.remove(child.span.bytes, in: tables.children)
      try transaction.remove(Keys.extent(frame: 3, piece: 0).span.bytes, in: tables.extents)
    }
    #expect(Set(try store.tier.audit(deep: false).map(\.kind)) == [.recency, .children, .frame])
    guard case .damaged = try store.load(chain[2]).0 else { throw TestFailure("not noticed") }
  }
}
