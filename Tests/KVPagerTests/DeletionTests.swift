import KVSimulation
import KVTiering
import Synchronization
import Testing

@testable import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Blocks that leave the disk while somebody still looks at them.
@Suite struct DeletionTests {
  private func lastKey(of tokens: [Token], in space: CacheSpace) -> BlockKey {
    let hashes = ChainHash.hashes(
      ofFullBlocksIn: tokens, blockTokenCount: space.layout.blockTokenCount, root: space.root)
    return BlockKey(space: space.id, hash: hashes[hashes.count - 1])
  }

  @Test func `a block in RAM that the quota deleted from disk can still join a session`() throws {
    let rig = try Rig(blockTokenCount: 16, rowByteCount: 1024)
    let store = try rig.open(blocks: 200, quotaBytes: 1 << 20)
    let space = try rig.space(store)
    let wanted = tokens(0..<64)
    try rig.append(wanted, to: space.createSession(named: "passing"))
    try store.writeBack()
    var round = 1
    // Until the quota has deleted it; the RAM holds all of it still.
    while try store.disk.contains(lastKey(of: wanted, in: space)) {
      let start = 10_000 * round
      try rig.append(tokens(start..<start + 128), to: space.createSession(named: "passing"))
      try store.writeBack()
      round += 1
      try #require(round < 20, "the quota deletes nothing")
    }
    let session = try space.createSession(named: "chat")
    #expect(try rig.append(wanted, to: session) < 4)
    // Far more than the RAM holds.
    for round in 100..<125 {
      let start = 10_000 * round
      try rig.append(tokens(start..<start + 160), to: space.createSession(named: "passing"))
      try store.writeBack()
    }
    try session.commit()
    #expect(try rig.isWhole(session))
    #expect(try store.audit().isEmpty)
  }

  @Test func `who looks up a block while it is deleted does not count on it`() throws {
    let rig = try Rig(blockTokenCount: 16, rowByteCount: 1024)
    let wanted = tokens(0..<64)
    do {
      let store = try rig.open(blocks: 48)
      try rig.append(wanted, to: rig.space(store).createSession(named: "passing"))
      try store.close()
    }
    let lookUp = Lock<(@Sendable () -> Void)?>(nil)
    let store = try rig.open(blocks: 48, quotaBytes: 1 << 20) {
      OverheardColdTier($0) { key, mustStay in
        guard !mustStay, let work = lookUp.withLock({ $0.take() }) else { return mustStay }
        BlockingExecutor.shared.run(work)
        // Time for the look-up to go wrong. Where it waits for the deletion, as it should, this is only slow.
        usleep(100_000)
        return mustStay
      }
    }
    let space = try rig.space(store)
    let outcome = Lock<Result<Session, any Error>?>(nil)
    lookUp.withLock {
      $0 = {
        let result = Result {
          let prefix = try space.longestPrefix(of: wanted)
          return try space.createSession(named: "chat", startingWith: wanted, from: prefix)
        }
        outcome.withLock { $0 = result }
      }
    }
    for round in 1..<20 {
      let start = 10_000 * round
      try rig.append(tokens(start..<start + 128), to: space.createSession(named: "passing"))
      try store.writeBack()
    }
    try #require(lookUp.withLock { $0 == nil }, "the quota deletes nothing")
    while outcome.withLock({ $0 == nil }) { usleep(1000) }
    let chat = try #require(outcome.withLock { $0 }).get()
    // Whatever it found, it has: the rest is computed.
    try rig.append(Array(wanted[chat.tokenCount...]), to: chat)
    try chat.commit()
    #expect(try rig.isWhole(chat))
    #expect(try store.audit().isEmpty)
  }

  @Test func `a fork commits although another process replaced its tail`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 6) { OverheardColdTier.unasked($0) }
    let space = try rig.space(store)
    let chat = try space.createSession(named: "chat")
    try rig.append(tokens(0..<13), to: chat)
    try chat.commit()
    let fork = try chat.fork(named: "fork")
    let cut = try chat.fork(named: "continued")
    try rig.append(tokens(13..<15), to: chat)
    try chat.commit()
    // The tail of 5 tokens is gone from disk; now from RAM too.
    try rig.append(tokens(1000..<1080), to: space.createSession(named: "passing"))
    try store.writeBack()
    try fork.commit()
    #expect(fork.tokens == tokens(0..<13))
    #expect(try rig.isWhole(fork))
    try rig.append(tokens(50..<60), to: cut)
    try cut.commit()
    #expect(try rig.isWhole(cut))
    #expect(try store.audit().isEmpty)
  }
}
