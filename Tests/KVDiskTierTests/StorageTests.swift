import KVBlocks
import Testing

@testable import KVDiskTier

struct StorageTests {
  @Test func `a chain of blocks survives a restart byte for byte`() throws {
    var store = try TestStore()
    let chain = store.chain(tokens(0..<100))
    #expect(try store.store(chain).writes == Array(repeating: .stored, count: 7))
    try store.reopen()
    for block in chain { #expect(try store.isWhole(block)) }
    let hashes = chain.map(\.key.hash)
    #expect(try store.tier.storedPrefixCount(of: hashes, in: store.space.id, known: 0) == 7)
    #expect(try store.tier.spaces() == [store.space])
  }

  @Test func `a frame of several extents survives a restart byte for byte`() throws {
    var store = try TestStore(layout: TestStore.layout(blockTokenCount: 64, rowByteCount: 4096, layerCount: 4))
    let chain = store.chain(tokens(0..<200))
    try store.store(chain)
    try store.reopen()
    for block in chain { #expect(try store.isWhole(block)) }
  }

  @Test func `one plane's rows come without the others`() throws {
    let store = try TestStore()
    let block = store.chain(tokens(0..<10))[0]
    try store.store([block])
    var rows = [UInt8](repeating: 0, count: 4 * 64)
    let outcome = try rows.withUnsafeMutableBytes {
      try store.tier.loadPlane(block.key, layout: store.layout, plane: 3, rows: 2..<6, into: $0)
    }
    #expect(outcome == .loaded(tokenCount: 10))
    #expect(rows[...] == store.frame(of: block)[store.layout.byteRange(ofPlane: 3, rows: 2..<6)])
  }

  @Test func `a block that is not stored is a miss and no error`() throws {
    let store = try TestStore()
    let block = store.chain(tokens(0..<16))[0]
    #expect(try store.load(block).0 == .absent)
    #expect(try !store.tier.contains(block.key))
    #expect(try store.tier.record(of: block.key) == nil)
  }

  @Test func `the stored prefix is found for every length and every number known`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<160))
    let hashes = chain.map(\.key.hash)
    for stored in 0...10 {
      if stored > 0 { try store.store([chain[stored - 1]]) }
      for known in 0...stored {
        #expect(try store.tier.storedPrefixCount(of: hashes, in: store.space.id, known: known) == stored)
      }
    }
  }

  @Test func `a block is stored once and a block without its parent not at all`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<48))
    try store.store([chain[0]])
    #expect(try store.store([chain[0]]).writes == [.alreadyStored])
    #expect(try store.store([chain[2]]).writes == [.orphaned])
    #expect(try store.store([chain[1], chain[2]]).writes == [.stored, .stored])
  }

  @Test func `blocks that follow one block are found with their tokens`() throws {
    let store = try TestStore()
    let trunk = store.chain(tokens(0..<16))
    let a = store.chain(tokens(0..<16) + tokens(0..<16, offset: 100))
    let b = store.chain(tokens(0..<16) + tokens(0..<5, offset: 200))
    try store.store(a)
    try store.store([b[1]])
    let children = try store.tier.children(of: trunk[0].key.hash, in: store.space.id)
    #expect(
      Set(children) == [
        StoredChild(hash: a[1].key.hash, tokens: a[1].tokens), StoredChild(hash: b[1].key.hash, tokens: b[1].tokens),
      ])
    #expect(try store.tier.children(of: store.space.root, in: store.space.id).map(\.hash) == [trunk[0].key.hash])
  }

  @Test func `a record tells all about its block`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<20))
    try store.store(chain)
    let record = try #require(try store.tier.record(of: chain[1].key))
    #expect(record.parent == chain[0].key.hash)
    #expect(record.tokens == tokens(16..<20))
    #expect(record.encodedExtra == [0xf6])
    #expect(record.payloadByteCount == 4 * 4 * 64)
    #expect(record.sessionCount == 0)
    #expect(record.lastUseMicroseconds == 1)
    #expect(record.codecUses.reduce(0) { $0 + Int($1.planeCount) } == 4)
    #expect(try store.tier.records(in: store.space.id).count == 2)
    let first = try #require(try store.tier.records(in: store.space.id, limit: 1).first)
    let second = try store.tier.records(in: store.space.id, after: first.key.hash)
    #expect(Set([first.key] + second.map(\.key)) == Set(chain.map(\.key)))
  }

  @Test func `two spaces of one store never share a block`() throws {
    let store = try TestStore()
    let other = try store.tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "test", salt: "tenant"), layout: store.layout)
    #expect(other.id != store.space.id)
    #expect(
      try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "test"), layout: store.layout)
        == store.space)
    let block = store.chain(tokens(0..<16))[0]
    try store.store([block])
    #expect(try !store.tier.contains(BlockKey(space: other.id, hash: block.key.hash)))
    let wider = try TestStore.layout(rowByteCount: 128)
    #expect(
      try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "test"), layout: wider).id
        != store.space.id)
  }
}
