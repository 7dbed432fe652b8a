import KVPager
import KVSimulation
import Testing

@Suite struct PrefixTests {
  @Test func `a prefix is found in RAM, on disk, and inside a partly equal block`() throws {
    let rig = try Rig()
    let first = try rig.open()
    let session = try rig.space(first).createSession(named: "chat")
    try rig.append(tokens(0..<30), to: session)
    // 3 full blocks, and 6 rows of an open tail that nobody sees yet.
    #expect(try rig.space(first).longestPrefix(of: tokens(0..<40)).tokenCount == 24)
    try session.commit()
    let hot = try rig.space(first).longestPrefix(of: tokens(0..<40))
    #expect(hot.tokenCount == 30)
    #expect(hot.memoryBlockCount == 3)
    try first.close()

    let second = try rig.open()
    let space = try rig.space(second)
    let cold = try space.longestPrefix(of: tokens(0..<40))
    #expect(cold.tokenCount == 30)
    #expect(cold.memoryBlockCount == 0)
    #expect(try space.longestPrefix(of: tokens(0..<13)).tokenCount == 13)
    #expect(try space.longestPrefix(of: tokens(0..<10) + tokens(90..<99)).tokenCount == 10)
    #expect(try space.longestPrefix(of: tokens(90..<99)).tokenCount == 0)
    #expect(try space.longestPrefix(of: []).tokenCount == 0)
  }

  @Test func `leased rows are read plane by plane and gathered over the whole prefix`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 5)
    let space = try rig.space(store)
    let session = try space.createSession(named: "chat")
    try rig.append(tokens(0..<36), to: session)
    try session.commit()
    let asked = tokens(0..<34) + [999]
    let prefix = try space.longestPrefix(of: asked)
    #expect(prefix.tokenCount == 34)
    #expect(prefix.partialTokenCount == 2)
    let states = rig.rows.states(of: tokens(0..<34))
    let lease = try prefix.lease()
    #expect(lease.tokenCount == 34)
    for plane in rig.layout.planes.indices {
      var gathered = [UInt8](repeating: 0, count: 34 * 64)
      gathered.withUnsafeMutableBytes { lease.gather(plane: plane, into: $0) }
      #expect(gathered.withUnsafeBytes { rig.rows.matches($0, plane: plane, states: states[...]) })
      var direct = [UInt8](repeating: 0, count: 20 * 64)
      let copied = try direct.withUnsafeMutableBytes { try prefix.gather(plane: plane, tokens: 7..<27, into: $0) }
      #expect(copied == 20)
      #expect(direct == Array(gathered[7 * 64..<27 * 64]))
      for block in 0..<lease.blockCount {
        let isRight = lease.withPlane(plane, ofBlock: block) { span in
          span.withUnsafeBytes {
            rig.rows.matches($0, plane: plane, states: states[lease.tokenRange(ofBlock: block)])
          }
        }
        #expect(isRight)
      }
    }
  }

  @Test func `a session that begins with a prefix asks for no row it has`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let first = try space.createSession(named: "first")
    try rig.append(tokens(0..<40), to: first)
    try first.commit()
    let asked = tokens(0..<20) + tokens(70..<80)
    let prefix = try space.longestPrefix(of: asked)
    let second = try space.createSession(named: "second", startingWith: asked, from: prefix)
    #expect(second.tokenCount == 20)
    try rig.append(Array(asked[20...]), to: second)
    try second.commit()
    #expect(try rig.isWhole(second))
    // By identity alone: the third session is given all its tokens, and rows only for what no block holds.
    let third = try space.createSession(named: "third")
    let calls = try rig.append(tokens(0..<41), to: third)
    #expect(calls == 1)
    try third.commit()
    #expect(try rig.isWhole(third))
    // 5 blocks of the first; the second's divergent block and its tail; the third's tail.
    #expect(try store.statistics().disk.uniqueBlockCount == 8)
  }

  @Test func `two cache spaces never share`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<40), to: session)
    try session.commit()
    let layout = try BlockLayout(
      blockTokenCount: 8,
      planes: rig.layout.planes.map { PlaneLayout($0.plane, elementType: .f16, rowByteCount: $0.rowByteCount) })
    var others = [ModelFingerprint(model: "other"), rig.fingerprint, rig.fingerprint, rig.fingerprint]
    others[1].salt = "tenant"
    others[2].adapter = "lora"
    others[3].settings = ["rope": "yarn"]
    for fingerprint in others {
      let space = try store.cacheSpace(for: fingerprint, layout: rig.layout)
      #expect(try space.longestPrefix(of: tokens(0..<40)).tokenCount == 0)
    }
    #expect(
      try store.cacheSpace(for: rig.fingerprint, layout: layout).longestPrefix(of: tokens(0..<40)).tokenCount == 0)
    #expect(try store.cacheSpaces().count == 6)
    // Even with one root for all, as a vLLM-compatible space has it.
    var seeds = [ModelFingerprint(model: "a", vllmSeed: "0"), ModelFingerprint(model: "b", vllmSeed: "0")]
    seeds[0].settings = ["x": "y"]
    let (a, b) = (
      try store.cacheSpace(for: seeds[0], layout: rig.layout), try store.cacheSpace(for: seeds[1], layout: rig.layout)
    )
    #expect(a.root == b.root)
    try rig.append(tokens(0..<16), to: a.createSession(named: "x"))
    #expect(try a.longestPrefix(of: tokens(0..<16)).tokenCount == 16)
    #expect(try b.longestPrefix(of: tokens(0..<16)).tokenCount == 0)
  }

  @Test func `equal tokens with other bytes become a variant, and nothing is mixed`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let first = try space.createSession(named: "first")
    try rig.append(tokens(0..<24), to: first, sharing: .byContent)
    try first.commit()
    let same = try space.createSession(named: "same")
    try rig.append(tokens(0..<24), to: same, sharing: .byContent)
    try same.commit()
    #expect(same.blockHashes == first.blockHashes)
    // The second block's rows differ in one byte: that block and all after it are the session's own.
    let other = try space.createSession(named: "other")
    let states = rig.rows.states(of: tokens(0..<24))
    try other.append(tokens(0..<24), sharing: .byContent) { writer in
      for plane in rig.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { bytes in
          rig.rows.fill(bytes, plane: plane, states: states[writer.tokens])
          if plane == 0, writer.tokens.contains(8) { bytes[0] ^= 1 }
        }
      }
    }
    try other.commit()
    #expect(other.blockHashes[0] == first.blockHashes[0])
    #expect(other.blockHashes[1] != first.blockHashes[1])
    #expect(other.blockHashes[2] != first.blockHashes[2])
    #expect(try rig.isWhole(first))
    #expect(try !rig.isWhole(other))
    #expect(try store.statistics().disk.uniqueBlockCount == 5)
  }
}
