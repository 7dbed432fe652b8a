import KVBlocks
import Testing

@testable import KVDiskTier

@Suite struct HitCountTests {
  private func touch(_ store: TestStore, _ key: BlockKey, lastUse: UInt64 = 0, hits: Int) throws {
    let touch = ColdBatch.Touch(key: key, lastUse: lastUse, hitCount: hits)
    _ = try store.tier.commit(ColdBatch(touches: [touch]), isProtected: { _ in false })
  }

  @Test func `hits add up to the most that a record holds and change nothing else`() throws {
    let store = try TestStore()
    let blocks = store.chain(tokens(0..<32))
    _ = try store.store(blocks)
    let key = blocks[1].key
    let before = try #require(try store.tier.record(of: key))
    #expect(before.hitCount == 0)
    try touch(store, key, hits: 3)
    try touch(store, key, lastUse: before.lastUseMicroseconds - 1, hits: 4)
    var after = try #require(try store.tier.record(of: key))
    #expect(after.hitCount == 7)
    after.hitCount = 0
    #expect(after == before)
    try touch(store, key, hits: 65_527)
    #expect(try store.tier.record(of: key)?.hitCount == 65_534)
    try touch(store, key, hits: 70_000)
    #expect(try store.tier.record(of: key)?.hitCount == 65_535)
    try touch(store, key, hits: 1)
    #expect(try store.tier.summaries(of: [key.hash], in: store.space.id).map { $0?.hitCount } == [65_535])
    try touch(store, key, lastUse: before.lastUseMicroseconds + 5, hits: 0)
    #expect(try store.tier.record(of: key)?.lastUseMicroseconds == before.lastUseMicroseconds + 5)
    #expect(try store.tier.audit(deep: true).isEmpty)
  }

  @Test func `a record says its hits where older ones said zero`() throws {
    let store = try TestStore()
    let blocks = store.chain(tokens(0..<16))
    _ = try store.store(blocks)
    let record = try #require(try store.tier.record(of: blocks[0].key))
    let old = BlockFormat.encode(record)
    #expect(old[2..<4].elementsEqual([0, 0]))
    var counted = record
    counted.hitCount = 0x0102
    let new = BlockFormat.encode(counted)
    #expect(new[2..<4].elementsEqual([2, 1]))
    // All between the field and the checksum is as it was: who skips the field reads the same block.
    #expect(new[4..<(new.count - 8)].elementsEqual(old[4..<(old.count - 8)]))
    #expect(try BlockFormat.decode(new.span.bytes, key: record.key) == counted)
  }
}
