import Dispatch
import KVPager
import KVSimulation
import Testing

@Suite struct SessionTests {
  @Test func `a committed session comes back after the store was closed`() throws {
    let rig = try Rig()
    do {
      let store = try rig.open()
      let session = try rig.space(store).createSession(named: "chat")
      try rig.append(tokens(0..<29), to: session)
      session.metadata = ["title": "Tools"]
      try session.commit()
      try store.close()
    }
    let store = try rig.open()
    let session = try rig.space(store).session(named: "chat")
    #expect(session.tokens == tokens(0..<29))
    #expect(session.blockCount == 4)
    #expect(session.metadata == ["title": "Tools"])
    #expect(try rig.isWhole(session))
    try store.close()
  }

  @Test func `a session that was never committed is gone after a restart`() throws {
    let rig = try Rig()
    let first = try rig.open()
    try rig.append(tokens(0..<20), to: rig.space(first).createSession(named: "chat"))
    try first.close()
    let store = try rig.open()
    #expect(throws: StoreError.self) { try rig.space(store).session(named: "chat") }
    #expect(try store.sessions().isEmpty)
  }

  @Test func `appending after a restart continues the tail`() throws {
    let rig = try Rig()
    for end in stride(from: 3, through: 60, by: 3) {
      let store = try rig.open(blocks: 3)
      let space = try rig.space(store)
      let session = end == 3 ? try space.createSession(named: "chat") : try space.session(named: "chat")
      try rig.append(tokens(end - 3..<end), to: session)
      try session.commit()
      #expect(try rig.isWhole(session))
      try store.close()
    }
    let store = try rig.open()
    let session = try rig.space(store).session(named: "chat")
    #expect(session.tokenCount == 60)
    #expect(try rig.isWhole(session))
    // Each tail took the place of the one before it: nothing is left over.
    #expect(try store.statistics().disk.uniqueBlockCount == 8)
  }

  @Test func `a fork copies no block and both go their own ways`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let trunk = try space.createSession(named: "trunk")
    try rig.append(tokens(0..<20), to: trunk)
    try trunk.commit()
    let before = try store.statistics()
    let fork = try trunk.fork(named: "branch")
    try fork.commit()
    let after = try store.statistics()
    #expect(after.disk.uniqueBlockCount == before.disk.uniqueBlockCount)
    #expect(after.memory.writtenBackBlockCount == before.memory.writtenBackBlockCount)
    #expect(after.disk.blockReferenceCount == 6)
    try rig.append(tokens(100..<130), to: fork)
    try rig.append(tokens(200..<205), to: trunk)
    try fork.commit()
    try trunk.commit()
    #expect(try rig.isWhole(fork))
    #expect(try rig.isWhole(trunk))
    #expect(trunk.tokens == tokens(0..<20) + tokens(200..<205))
  }

  @Test(arguments: [0, 1, 7, 8, 9, 16, 19]) func `a fork may cut anywhere`(count: Int) throws {
    let rig = try Rig()
    let store = try rig.open()
    let trunk = try rig.space(store).createSession(named: "trunk")
    try rig.append(tokens(0..<20), to: trunk)
    let fork = try trunk.fork(named: "branch", tokenCount: count)
    try fork.commit()
    #expect(fork.tokens == tokens(0..<count))
    #expect(try rig.isWhole(fork))
    try trunk.truncate(to: count)
    try rig.append(tokens(50..<60), to: trunk)
    try trunk.commit()
    #expect(try rig.isWhole(trunk))
  }

  @Test func `names are taken, changed and freed`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let a = try space.createSession(named: "a")
    try rig.append(tokens(0..<5), to: a)
    try a.commit()
    let error = #expect(throws: StoreError.self) { _ = try space.createSession(named: "a") }
    #expect(error?.code == .alreadyExists)
    try a.rename(to: "b")
    #expect(try store.sessions().map(\.name) == ["b"])
    try rig.append(tokens(5..<9), to: a)
    try a.commit()
    #expect(try store.session(named: "b").tokenCount == 9)
    try store.deleteSession(named: "b")
    #expect(try store.sessions().isEmpty)
    let gone = #expect(throws: StoreError.self) { try a.commit() }
    #expect(gone?.code == .notFound)
    for name in ["", "x\n", String(repeating: "n", count: 401)] {
      let error = #expect(throws: StoreError.self) { _ = try space.createSession(named: name) }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test func `the second of two writers of one session is told of the conflict`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let first = try space.createSession(named: "chat")
    try rig.append(tokens(0..<5), to: first)
    try first.commit()
    let second = try space.session(named: "chat")
    try rig.append(tokens(5..<9), to: second)
    try second.commit()
    try rig.append(tokens(20..<30), to: first)
    let error = #expect(throws: StoreError.self) { try first.commit() }
    #expect(error?.code == .conflict)
    #expect(try space.session(named: "chat").tokens == tokens(0..<9))
  }

  @Test func `a checkpoint comes out whole, forks whole, and cannot be cut`() throws {
    let rig = try Rig()
    let checkpoint = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    do {
      let store = try rig.open()
      let session = try rig.space(store).createSession(named: "chat")
      try rig.append(tokens(0..<20), to: session)
      session.setCheckpoint(checkpoint)
      try session.commit()
      try session.fork(named: "fork").commit()
      let error = #expect(throws: StoreError.self) { _ = try session.fork(named: "cut", tokenCount: 3) }
      #expect(error?.code == .invalidArgument)
      #expect(throws: StoreError.self) { try session.truncate(to: 3) }
      try store.close()
    }
    let store = try rig.open()
    for name in ["chat", "fork"] {
      let session = try store.session(named: name)
      #expect(try session.checkpoint() == checkpoint)
      #expect(session.checkpointByteCount == checkpoint.count)
    }
    let session = try store.session(named: "chat")
    session.setCheckpoint(nil)
    try session.commit()
    #expect(try store.session(named: "chat").checkpoint() == nil)
    #expect(try store.session(named: "fork").checkpoint() == checkpoint)
  }

  @Test func `a checkpoint that was replaced elsewhere is a conflict, not another session's bytes`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let first = try space.createSession(named: "chat")
    try rig.append(tokens(0..<20), to: first)
    first.setCheckpoint([1, 2, 3])
    try first.commit()
    let second = try space.session(named: "chat")
    #expect(try second.checkpoint() == [1, 2, 3])
    second.setCheckpoint(nil)
    try rig.append(tokens(20..<30), to: second)
    second.setCheckpoint([4, 5, 6])
    try second.commit()
    #expect(try second.checkpoint() == [4, 5, 6])
    for use in [{ _ = try first.checkpoint() }, { _ = try first.fork(named: "fork") }] {
      let error = #expect(throws: StoreError.self) { try use() }
      #expect(error?.code == .conflict)
    }
    #expect(try space.session(named: "chat").checkpoint() == [4, 5, 6])
    // Its own new one needs nothing of what is stored.
    first.setCheckpoint([7])
    #expect(try first.fork(named: "fork").checkpoint() == [7])
  }

  @Test func `a checkpoint is read while the same session is committed and renamed`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<20), to: session)
    session.setCheckpoint([1, 2, 3])
    try session.commit()
    DispatchQueue.concurrentPerform(iterations: 2) { thread in
      for round in 0..<50 {
        #expect(throws: Never.self) {
          if thread == 0 {
            try session.commit()
            try session.rename(to: "chat \(round)")
          } else {
            for _ in 0..<5 { #expect(try session.checkpoint() == [1, 2, 3]) }
          }
        }
      }
    }
  }

  @Test func `an expired session leaves with the garbage, its shared blocks stay for others`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let old = try space.createSession(named: "old")
    try rig.append(tokens(0..<20), to: old)
    old.expiresMicroseconds = 1
    try old.commit()
    let kept = try old.fork(named: "kept")
    kept.expiresMicroseconds = nil
    try kept.commit()
    #expect(try store.collectGarbage().expiredSessionCount == 1)
    #expect(try store.sessions().map(\.name) == ["kept"])
    #expect(try rig.isWhole(kept))
  }

  @Test func `rows that fail to come leave the session with what was completed`() throws {
    struct Failure: Error {}
    let rig = try Rig()
    let store = try rig.open()
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<5), to: session)
    let states = rig.rows.states(of: tokens(0..<40))
    #expect(throws: Failure.self) {
      try session.append(tokens(5..<40)) { writer in
        if writer.tokens.lowerBound >= 11 { throw Failure() }
        for plane in rig.layout.planes.indices {
          writer.withUnsafeRows(ofPlane: plane) {
            rig.rows.fill(
              $0, plane: plane, states: states[5 + writer.tokens.lowerBound..<5 + writer.tokens.upperBound])
          }
        }
      }
    }
    #expect(session.tokenCount == 16)
    try rig.append(tokens(16..<20), to: session)
    try session.commit()
    #expect(try rig.isWhole(session))
  }
}
