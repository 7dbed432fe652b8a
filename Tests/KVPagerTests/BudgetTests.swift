import KVPager
import KVSimulation
import Synchronization
import Testing

@Suite struct BudgetTests {
  @Test func `a budget under one block is refused with the reason`() throws {
    let rig = try Rig()
    var configuration = StoreConfiguration()
    configuration.memoryBudgetBytes = rig.layout.frameByteCount - 1
    let store = try Store(at: rig.path, configuration: configuration)
    let error = #expect(throws: StoreError.self) { _ = try rig.space(store) }
    #expect(error?.code == .budgetTooSmall)
    #expect(error?.message.contains("\(rig.layout.frameByteCount)") == true)
  }

  @Test(arguments: [1, 2, 3]) func `a session of any length passes through a budget of few blocks`(blocks: Int) throws {
    let rig = try Rig()
    let store = try rig.open(blocks: blocks)
    let session = try rig.space(store).createSession(named: "long")
    try rig.append(tokens(0..<1003), to: session)
    try session.commit()
    #expect(try rig.isWhole(session))
    let memory = try store.statistics().memory
    #expect(memory.peakBytes <= rig.layout.frameByteCount * blocks)
    #expect(memory.frameCount <= blocks)
    #expect(memory.writtenBackBlockCount == 126)
    try store.close()
    let again = try rig.open(blocks: blocks)
    #expect(try rig.isWhole(again.session(named: "long")))
  }

  @Test func `a lease over more blocks than the pool has frames is an error, not a deadlock`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 4)
    let session = try rig.space(store).createSession(named: "long")
    try rig.append(tokens(0..<64), to: session)
    try session.commit()
    let error = #expect(throws: StoreError.self) { _ = try session.lease() }
    #expect(error?.code == .poolExhausted)
    let first = try session.lease(tokens: 0..<24)
    #expect(first.tokenCount == 24)
    let second = #expect(throws: StoreError.self) { _ = try session.lease(tokens: 32..<48) }
    #expect(second?.code == .poolExhausted)
    // One frame is left: single blocks still pass, and gathering needs none.
    #expect(try session.lease(tokens: 40..<48).tokenCount == 8)
    #expect(try rig.isWhole(session))
    #expect(try store.statistics().memory.pinnedFrameCount == 3)
    _ = consume first
    #expect(try store.statistics().memory.pinnedFrameCount == 0)
    #expect(try session.lease(tokens: 32..<64).tokenCount == 32)
  }

  @Test func `many threads lease, append and commit at once and every row is right`() async throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 24)
    let space = try rig.space(store)
    let common = tokens(0..<40)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<6 {
        group.addTask {
          let session = try space.createSession(named: "s\(worker)")
          let own = common + (0..<90).map { Token(1000 * (worker + 1) + $0) }
          for start in stride(from: 0, to: own.count, by: 13) {
            try rig.append(Array(own[start..<min(start + 13, own.count)]), to: session)
            if start % 2 == 0 { try session.commit() as Void }
            let prefix = try space.longestPrefix(of: own) as Prefix
            #expect(prefix.tokenCount >= session.tokenCount / 8 * 8)
            // At most 3 leased blocks and an open tail each: what 6 workers pin at one time always fits into 24 frames.
            let first = max(0, session.tokenCount / 8 - 3) * 8
            let lease = try session.lease(tokens: first..<min(first + 24, session.tokenCount))
            let states = rig.rows.states(of: own)
            for block in 0..<lease.blockCount {
              let range = lease.tokenRange(ofBlock: block)
              let expected = states[first + range.lowerBound..<first + range.upperBound]
              let isRight = lease.withPlane(1, ofBlock: block) { span in
                span.withUnsafeBytes { rig.rows.matches($0, plane: 1, states: expected) }
              }
              #expect(isRight)
            }
          }
          try session.commit() as Void
          #expect(try rig.isWhole(session))
        }
      }
      try await group.waitForAll()
    }
    store.assertInvariants()
    let statistics = try store.statistics()
    #expect(statistics.memory.peakBytes <= rig.layout.frameByteCount * 24)
    #expect(statistics.disk.blockReferenceCount == 6 * 17)
    #expect(statistics.memory.pinnedFrameCount == 0)
  }
}
