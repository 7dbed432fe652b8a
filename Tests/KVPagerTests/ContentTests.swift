import KVPager
import KVSimulation
import Testing

/// Sessions whose tokens are equal and whose rows are not: what goes in comes out.
@Suite struct ContentTests {
  private func append(_ tokens: [Token], filledWith byte: UInt8, to session: Session, _ sharing: BlockSharing) throws {
    let planes = session.space.layout.planes.indices
    try session.append(tokens, sharing: sharing) { writer in
      for plane in planes {
        writer.withUnsafeRows(ofPlane: plane) { _ = $0.initializeMemory(as: UInt8.self, repeating: byte) }
      }
    }
  }

  /// Every byte of the session's first `count` tokens.
  private func isFilled(_ session: Session, with byte: UInt8, count: Int? = nil) throws -> Bool {
    for (plane, shape) in session.space.layout.planes.enumerated() {
      let rowCount = count ?? session.tokenCount
      var bytes = [UInt8](repeating: ~byte, count: rowCount * shape.rowByteCount)
      try bytes.withUnsafeMutableBytes { try session.gather(plane: plane, tokens: 0..<rowCount, into: $0) }
      if bytes.contains(where: { $0 != byte }) { return false }
    }
    return true
  }

  @Test func `a tail that came by content keeps its own rows beside an equal one`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
      let session = try space.createSession(named: name)
      try append(tokens(0..<13), filledWith: byte, to: session, .byContent)
      try session.commit()
    }
    for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
      #expect(try isFilled(space.session(named: name), with: byte), "\(name)")
    }
    #expect(try store.statistics().disk.uniqueBlockCount == 4)
  }

  @Test func `a tail that came by content is checked where a lease seals it`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
      let session = try space.createSession(named: name)
      try append(tokens(0..<5), filledWith: byte, to: session, .byContent)
      #expect(try session.lease().tokenCount == 5)
      try session.commit()
      #expect(try isFilled(session, with: byte))
    }
  }

  @Test func `a cut inside a variant keeps the variant's rows`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let plain = try space.createSession(named: "plain")
    try append(tokens(0..<5), filledWith: 1, to: plain, .byContent)
    try plain.commit()
    try append(tokens(5..<8), filledWith: 1, to: plain, .byContent)
    let whole = try plain.fork(named: "whole")
    try whole.commit()
    let variant = try space.createSession(named: "variant")
    try append(tokens(0..<8), filledWith: 2, to: variant, .byContent)
    try variant.commit()
    let cut = try variant.fork(named: "cut", tokenCount: 5)
    try cut.commit()
    #expect(try isFilled(cut, with: 2))
    try variant.truncate(to: 5)
    try variant.commit()
    #expect(try isFilled(variant, with: 2))
    try append(tokens(5..<8), filledWith: 2, to: variant, .byIdentity)
    try variant.commit()
    #expect(try isFilled(variant, with: 2))
  }

  @Test func `a block whose comparison failed is sealed by the next append`() throws {
    let rig = try Rig()
    do {
      let store = try rig.open()
      let first = try rig.space(store).createSession(named: "first")
      try rig.append(tokens(0..<8), to: first)
      try first.commit()
      try store.close()
    }
    nonisolated(unsafe) var faults: FaultyColdTier?  // because: set once, before anything runs
    let store = try rig.open(blocks: 8) {
      let tier = FaultyColdTier($0)
      faults = tier
      return tier
    }
    let session = try rig.space(store).createSession(named: "second")
    faults?.failLoads(with: [StoreError(.inputOutput, "an injected fault")])
    let error = #expect(throws: StoreError.self) { try rig.append(tokens(0..<16), to: session, sharing: .byContent) }
    #expect(error?.code == .inputOutput)
    #expect(session.tokenCount == 8)
    try rig.append(tokens(8..<30), to: session)
    try session.commit()
    #expect(session.tokens == tokens(0..<30))
    #expect(session.blockCount == 4)
    #expect(try rig.isWhole(session))
    #expect(try store.audit().isEmpty)
  }
}
