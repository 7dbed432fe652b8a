import KVBlocks
import KVDiskTier
import KVSimulation
import Testing

@testable import KVInspection

@Suite struct SessionListTests {
  private func list(_ change: (inout SessionQuery) -> Void, now: UInt64? = nil) throws -> SessionList {
    let store = try InspectedStore()
    var query = SessionQuery()
    change(&query)
    let inspector = StoreInspector(path: store.path)
    return try now.map { try inspector.sessions(query, nowMicroseconds: $0) } ?? inspector.sessions(query)
  }

  @Test func `own bytes are those that deleting a session frees`() throws {
    let sessions = try list { _ in }.sessions
    for session in sessions {
      #expect(session.uniqueByteCount == 36 * 2048 && session.sharedByteCount == 96 * 2048)
      #expect(session.ownDiskByteCount < session.diskByteCount)
    }
    // The first holds a checkpoint, in a page of its own.
    #expect(sessions[0].ownDiskByteCount == sessions[1].ownDiskByteCount + 4096)
  }

  @Test func `a name's pattern, metadata and space choose, and the totals count what was chosen`() throws {
    let one = try list { $0.name = NamePattern("*1") }
    #expect(one.sessions.map(\.name) == ["chat 1"] && one.total.sessionCount == 1 && one.storedCount == 3)
    #expect(one.total.tokenCount == 132 && one.total.uniqueByteCount == 36 * 2048)
    #expect(try list { $0.metadata = [.init(key: "title", value: nil)] }.total.sessionCount == 3)
    #expect(try list { $0.metadata = [.init(key: "title", value: "other")] }.sessions.isEmpty)
    #expect(try list { $0.space = SpaceID(rawValue: 9) }.sessions.isEmpty)
    #expect(try list { $0.isExpired = true }.sessions.isEmpty)
  }

  @Test func `what was not used for long is told by the clock given`() throws {
    let updated = try #require(try list { _ in }.sessions.map(\.updatedMicroseconds).max())
    #expect(try list({ $0.unusedForMicroseconds = 1_000_000 }, now: updated).sessions.isEmpty)
    #expect(try list({ $0.unusedForMicroseconds = 1_000_000 }, now: updated + 60_000_000).sessions.count == 3)
  }

  @Test func `orders have the largest first, and limits cut after them`() throws {
    #expect(try list { $0.order = .name }.sessions.map(\.name) == ["chat 0", "chat 1", "chat 2"])
    let reversed = try list {
      $0.order = .name
      $0.isReversed = true
      $0.limit = 2
    }
    #expect(reversed.sessions.map(\.name) == ["chat 2", "chat 1"] && reversed.total.sessionCount == 3)
    let created = try list { $0.order = .updated }.sessions.map(\.updatedMicroseconds)
    #expect(created == created.sorted(by: >))
  }

  @Test func `a session says with whom it shares`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let detail = try inspector.session(named: "chat 1")
    #expect(detail.sharingCount == 2 && detail.sharing.map(\.name) == ["chat 0", "chat 2"])
    #expect(detail.sharing.allSatisfy { $0.blockCount == 6 && $0.tokenCount == 96 })
    #expect(detail.tailTokenCount == 4)
    let shortened = try inspector.session(named: "chat 1", sharingLimit: 1)
    #expect(shortened.sharing.count == 1 && shortened.sharingCount == 2)
  }

  @Test func `blocks that are alike make one run`() throws {
    let store = try InspectedStore()
    let blocks = try StoreInspector(path: store.path).session(named: "chat 2").blocks
    let runs = SessionBlockRun.runs(of: blocks)
    #expect(runs.map(\.blocks) == [0..<6, 6..<8, 8..<9])
    #expect(runs.map(\.tokenCount) == [96, 32, 4] && runs.map(\.tokenOffset) == [0, 96, 128])
    #expect(runs.map(\.hash) == [blocks[5].hash, blocks[7].hash, blocks[8].hash])
  }

  @Test(arguments: [
    ("*", "", true), ("", "", true), ("", "a", false), ("a*c", "abbc", true), ("a*c", "abb", false),
    ("*b*b*", "abab", true), ("a?c", "abc", true), ("a?c", "ac", false), ("ä?", "äö", true), ("*.x", "a.x.x", true),
    ("A", "a", false), ("**a**", "bab", true), ("chat [0-9]", "chat 7", true), ("chat [0-9]", "chat x", false),
    ("[!a-c]x", "dx", true), ("[^a-c]x", "bx", false), ("*[ä-ü]", "zö", true), ("[]]", "]", true), ("[a-]", "-", true),
    ("[z-a]", "m", false), ("[ab", "[ab", true), ("[ab", "a", false), ("[ab]", "[ab]", true), (#"\*"#, "*", true),
    (#"\*"#, "x", false), (#"[\]a]"#, "]", true), ("[", "[", true), ("[!]", "x", false), ("a/*", "a/b/c", true),
  ])
  func `patterns match names`(pattern: String, name: String, isMatch: Bool) {
    #expect(NamePattern(pattern).matches(name) == isMatch)
  }

  @Test func `an index is made before the sessions are read, or not at all`() throws {
    let folder = TemporaryFolder()
    var shape = LargeStore()
    shape.sessionCount = 100
    shape.blockCount = 3_000
    try shape.fill(folder.store)
    let inspector = StoreInspector(path: folder.store)
    var query = SessionQuery()
    try inspector.withTier { (tier) throws(StoreError) in
      #expect(try StoreInspector.lookup(query, tier, nowMicroseconds: 0).hasIndex)
      query.isExpired = true
      #expect(try !StoreInspector.lookup(query, tier, nowMicroseconds: 0).hasIndex)
      // However many blocks are looked up then.
      let few = try BlockLookup(tier, count: 1)
      let many = try BlockLookup(tier, count: .max)
      var lookedUpCount = 0
      try tier.scanSessions { (_, record) throws(StoreError) in
        var entries: [BlockIndex.Entry?] = []
        try few.forEach(of: record.blocks, in: record.space) { entries.append($1) }
        try many.forEach(of: record.blocks, in: record.space) { #expect($1 == entries[$0]) }
        lookedUpCount += entries.count
        return true
      }
      #expect(lookedUpCount > 1024 && !few.hasIndex && many.hasIndex)
    }
  }

  @Test func `names that a shell completes are as many as were asked for`() throws {
    let folder = TemporaryFolder()
    var shape = LargeStore()
    shape.sessionCount = 100
    shape.blockCount = 3_000
    try shape.fill(folder.store)
    let inspector = StoreInspector(path: folder.store)
    let all = try inspector.sessionNames(startingWith: "", limit: 1000)
    #expect(all.count == 100 && all == all.sorted())
    #expect(try inspector.sessionNames(startingWith: "", limit: 7).count == 7)
    let first = try #require(all.first)
    #expect(try inspector.sessionNames(startingWith: first, limit: 1) == [first])
    #expect(try inspector.sessionNames(startingWith: "no such", limit: 7).isEmpty)
  }

  @Test func `many look-ups by an index say what single ones say`() throws {
    let folder = TemporaryFolder()
    var shape = LargeStore()
    shape.sessionCount = 100
    shape.blockCount = 3_000
    try shape.fill(folder.store)
    let inspector = StoreInspector(path: folder.store)
    // All sessions' blocks are looked up in an index, one session's directly.
    let listed = try inspector.sessions()
    for name in listed.map(\.name).shuffled().prefix(5) {
      #expect(try inspector.session(named: name).facts == listed.first { $0.name == name })
    }
    let tier = try DiskTier(path: folder.store, options: DiskTierOptions(access: .readOnly))
    defer { tier.close() }
    let index = try BlockIndex(tier)
    index.assertInvariants()
    #expect(index.count == (try tier.storedBlockCount()))
    var count = 0
    try tier.scanBlocks { (block) throws(StoreError) in
      let position = index.position(of: block.key.hash, in: block.key.space)
      #expect(position == count)
      if let position { #expect(index[position] == BlockIndex.entry(block)) }
      count += 1
      return true
    }
    #expect(index.position(of: BlockHash(bytes: [UInt8](repeating: 7, count: 32)), in: SpaceID(rawValue: 1)) == nil)
    #expect(index.position(of: index[0].key.hash, in: SpaceID(rawValue: 99)) == nil)
  }
}
