import KVDiskTier
import KVPager
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct ActivityKillTests {
  @Test func `writers killed again and again are counted once each`() async throws {
    let folder = TemporaryFolder()
    let path = folder.store
    let rig = try Rig(path: path)
    try await rig.open().close()
    var known = try #require(StoreActivity.read(directory: path))
    for round in 0..<12 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, round = round as Int] in
        let rig = try Rig(path: path)
        let store = try rig.open()
        let session = try rig.space(store).createSession(named: "killed \(round)")
        for step in 0..<10_000 {
          try rig.append(tokens(step..<step + 1), to: session)
          try session.commit()
          // Sure to have told of itself, and at a moment of its own in what it tells next.
          let seen = StoreActivity.read(directory: path)?.processes.first { $0.processID == getpid() }
          if let seen, seen.counters.sessionCommits > 1 {
            usleep(UInt32(round) * 31_000)
            _ = kill(getpid(), SIGKILL)
          }
        }
        exit(5)
      }
      let left = try #require(StoreActivity.read(directory: path))
      #expect(left.processes.map(\.isAlive) == [false], "round \(round)")
      #expect(left.total.sessionCommits >= known.total.sessionCommits + 2, "round \(round)")
      // Whoever comes next settles it; the totals stay what they were seen to be.
      try await rig.open(access: .readOnly).close()
      known = try #require(StoreActivity.read(directory: path))
      #expect(known.processes.isEmpty, "round \(round)")
      #expect(known.total.sessionCommits == left.total.sessionCommits, "round \(round)")
      #expect(known.endedCount == UInt64(1 + 2 * (round + 1)), "round \(round)")
    }
  }

  @Test func `processes that open and close at one time lose no count`() async throws {
    let folder = TemporaryFolder()
    let path = folder.store
    try await Rig(path: path).open().close()
    let (parties, rounds) = (4, 6)
    await withTaskGroup(of: Void.self) { group in
      for party in 0..<parties {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [path = path as String, party = party as Int, rounds = rounds as Int] in
            let rig = try Rig(path: path)
            for round in 0..<rounds {
              let store = try rig.open()
              let session = try rig.space(store).createSession(named: "\(party)-\(round)")
              try rig.append(tokens(party * 1000..<party * 1000 + 20), to: session)
              try session.commit()
              try store.close()
            }
            exit(0)
          }
        }
      }
    }
    let activity = try #require(StoreActivity.read(directory: path))
    #expect(activity.total.sessionCommits == UInt64(parties * rounds))
    #expect(activity.endedCount == UInt64(1 + parties * rounds))
    #expect(activity.processes.isEmpty)
  }
}
