import KVBlocks
import Testing

@testable import KVDiskTier

struct SessionTests {
  private func count(_ store: TestStore, _ block: BlockDescriptor) throws -> Int? {
    try store.tier.record(of: block.key).map { Int($0.sessionCount) }
  }

  @Test func `a session survives a restart with all that it has`() throws {
    var store = try TestStore()
    let all = tokens(0..<100)
    try store.store(store.chain(all))
    let state = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let outcome = try store.commit(
      store.put("chat", all, metadata: ["title": "Hello", "user": "ä"], checkpoint: .replace(state)))
    guard case .done(let revision) = outcome[0] else { throw TestFailure("\(outcome)") }
    try store.reopen()
    let record = try #require(try store.tier.session(space: store.space.id, name: "chat"))
    #expect(record.tokens == all)
    #expect(record.blocks == store.chain(all).map(\.key.hash))
    #expect(record.metadata == ["title": "Hello", "user": "ä"])
    #expect(record.revision == revision)
    #expect(record.createdMicroseconds > 0)
    #expect(record.updatedMicroseconds >= record.createdMicroseconds)
    #expect(record.checkpointByteCount == state.count)
    #expect(try store.tier.checkpoint(space: store.space.id, name: "chat") == state)
    #expect(try store.tier.sessions() == [record])
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a long session lies in extents and comes back whole`() throws {
    var store = try TestStore()
    let all = tokens(0..<5000)
    try store.store(store.chain(all))
    _ = try store.commit(store.put("long", all))
    let summary = try #require(try store.tier.sessionSummaries().first)
    #expect(summary.body.id != 0)
    #expect(summary.tokenCount == 5000)
    try store.reopen()
    #expect(try store.tier.session(space: store.space.id, name: "long")?.tokens == all)
    _ = try store.commit(
      store.put("long", tokens(0..<4000), condition: .revision(summary.revision)),
      .delete(space: store.space.id, name: "x"))
    #expect(try store.tier.audit(deep: true) == [])
    _ = try store.commit(.delete(space: store.space.id, name: "long"))
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `two sessions on one chain are counted and a deleted one gives its count back`() throws {
    let store = try TestStore()
    let trunk = tokens(0..<32)
    let a = trunk + tokens(0..<20, offset: 1000)
    let b = trunk + tokens(0..<3, offset: 2000)
    try store.store(store.chain(a))
    try store.store(Array(store.chain(b).dropFirst(2)))
    _ = try store.commit(store.put("a", a), store.put("b", b))
    let blocks = store.chain(a)
    #expect(try blocks.map { try count(store, $0) } == [2, 2, 1, 1])
    #expect(try store.tier.statistics().total.referenceCount == 7)
    #expect(try store.tier.statistics().deletableBlockCount == 0)
    _ = try store.commit(.delete(space: store.space.id, name: "a"))
    #expect(try blocks.map { try count(store, $0) } == [1, 1, 0, 0])
    #expect(try store.tier.statistics().deletableBlockCount == 2)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a tail that was replaced by a longer block goes, unless another still needs it`() throws {
    let store = try TestStore()
    let tail = { (count: Int) in store.chain(tokens(0..<count))[1] }
    try store.store(store.chain(tokens(0..<18)))
    _ = try store.commit(store.put("a", tokens(0..<18)), store.put("b", tokens(0..<18)))
    func grow(_ name: String, _ count: Int, isProtected: Bool = false) throws {
      let revision = try store.tier.session(space: store.space.id, name: name)?.revision ?? 0
      let operation = store.put(name, tokens(0..<count), condition: .revision(revision))
      _ = try store.tier.commit(ColdBatch(operations: [operation]), isProtected: { _ in isProtected })
    }
    try store.store([tail(20)])
    try grow("a", 20)
    #expect(try self.count(store, tail(18)) == 1)
    try grow("b", 20)
    #expect(try self.count(store, tail(18)) == nil)
    try store.store([tail(24)])
    try grow("a", 24)
    try grow("b", 24, isProtected: true)
    #expect(try self.count(store, tail(20)) == 0)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a session that grows moves its count from the old tail to the new one`() throws {
    let store = try TestStore()
    let short = tokens(0..<20)
    let long = tokens(0..<40)
    try store.store(store.chain(short))
    guard case .done(let revision) = try store.commit(store.put("a", short))[0] else { throw TestFailure("put") }
    try store.store(Array(store.chain(long).dropFirst()))
    let outcome = try store.commit(store.put("a", long, condition: .revision(revision)))
    guard case .done(let next) = outcome[0] else { throw TestFailure("\(outcome)") }
    #expect(next > revision)
    #expect(try count(store, store.chain(short)[1]) == nil)
    #expect(try store.chain(long).map { try count(store, $0) } == [1, 1, 1])
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `a session whose blocks are missing changes nothing and is told which`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<48))
    try store.store([chain[0]])
    let outcome = try store.commit(store.put("a", tokens(0..<48)))
    #expect(outcome == [.missingBlocks([chain[1].key.hash, chain[2].key.hash])])
    #expect(try store.tier.session(space: store.space.id, name: "a") == nil)
    #expect(try count(store, chain[0]) == 0)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `each operation of a batch succeeds or fails by itself`() throws {
    let store = try TestStore()
    try store.store(store.chain(tokens(0..<16)))
    let space = store.space.id
    let outcomes = try store.commit(
      store.put("a", tokens(0..<16)), store.put("a", tokens(0..<16)), store.put("b", [], condition: .revision(1)),
      .rename(space: space, from: "a", to: "c"), .rename(space: space, from: "a", to: "d"),
      .delete(space: space, name: "nobody"), store.put("", []), store.put(String(repeating: "n", count: 256), []),
      store.put("c", [], condition: .revision(UInt64.max)))
    let codes = outcomes.map { outcome -> StoreError.Code? in
      if case .failed(let error) = outcome { error.code } else { nil }
    }
    #expect(
      codes == [
        nil, .alreadyExists, .notFound, nil, .notFound, .notFound, .invalidArgument, .invalidArgument, .conflict,
      ])
    #expect(try store.tier.sessionSummaries().map(\.name) == ["c"])
    #expect(try store.tier.session(space: space, name: "c")?.name == "c")
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `blocks that do not follow one another are no session`() throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<48))
    try store.store(chain)
    let record = SessionRecord(
      space: store.space.id, name: "a", tokens: tokens(0..<32), blocks: [chain[0].key.hash, chain[2].key.hash])
    let outcome = try store.commit(.put(record, checkpoint: .keep, condition: .absent))
    guard case .failed(let error) = outcome[0] else { throw TestFailure("\(outcome)") }
    #expect(error.code == .invalidArgument)
    #expect(try count(store, chain[0]) == 0)
  }

  @Test func `a checkpoint is kept, replaced and removed as asked`() throws {
    let store = try TestStore()
    func revision() throws -> SessionOperation.Condition {
      .revision(try store.tier.session(space: store.space.id, name: "a")?.revision ?? 0)
    }
    func state() throws -> [UInt8]? { try store.tier.checkpoint(space: store.space.id, name: "a") }
    _ = try store.commit(store.put("a", [], checkpoint: .replace([1, 2, 3])))
    _ = try store.commit(store.put("a", [], condition: try revision()))
    #expect(try state() == [1, 2, 3])
    _ = try store.commit(store.put("a", [], checkpoint: .replace([4]), condition: try revision()))
    #expect(try state() == [4])
    _ = try store.commit(
      .rename(space: store.space.id, from: "a", to: "b"), .rename(space: store.space.id, from: "b", to: "a"))
    #expect(try state() == [4])
    _ = try store.commit(store.put("a", [], checkpoint: .remove, condition: try revision()))
    #expect(try state() == nil)
    #expect(try store.tier.audit(deep: true) == [])
    #expect(throws: StoreError.self) { try store.tier.checkpoint(space: store.space.id, name: "none") }
  }

  @Test func `an expired session leaves at the next collection and not before`() throws {
    let store = try TestStore()
    try store.store(store.chain(tokens(0..<16)))
    var record = SessionRecord(
      space: store.space.id, name: "a", expiresMicroseconds: 1000, tokens: tokens(0..<16),
      blocks: store.chain(tokens(0..<16)).map(\.key.hash))
    _ = try store.commit(.put(record, checkpoint: .keep, condition: .absent))
    record.name = "b"
    record.expiresMicroseconds = nil
    _ = try store.commit(.put(record, checkpoint: .keep, condition: .absent))
    #expect(try store.tier.collectGarbage(nowMicroseconds: 999, isProtected: { _ in false }).expiredSessionCount == 0)
    #expect(try store.tier.collectGarbage(nowMicroseconds: 1000, isProtected: { _ in false }).expiredSessionCount == 1)
    #expect(try store.tier.sessionSummaries().map(\.name) == ["b"])
    #expect(try count(store, store.chain(tokens(0..<16))[0]) == 1)
    #expect(try store.tier.audit(deep: true) == [])
  }
}

struct TestFailure: Error {
  let message: String
  init(_ message: String) { self.message = message }
}
