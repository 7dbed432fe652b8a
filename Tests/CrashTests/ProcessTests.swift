import KVPager
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// What one of several processes does on a store that the others use at the same time.
private enum Party {
  /// Commits a session of its own, then waits for the other's prefix, reads it, and goes on from it.
  static func share(path: String, own: Token, other: Token) throws {
    let rig = try Rig(path: path)
    let store = try rig.open(blocks: 20)
    let space = try rig.space(store)
    let mine = tokens(Int(own)..<Int(own) + 50)
    let session = try space.createSession(named: "s\(own)")
    try rig.append(mine, to: session)
    try session.commit()
    let theirs = tokens(Int(other)..<Int(other) + 50)
    for _ in 0..<6000 {
      let prefix = try space.longestPrefix(of: theirs)
      if prefix.tokenCount == 50 {
        let longer = try space.createSession(named: "s\(own)-on-\(other)", startingWith: theirs, from: prefix)
        try rig.append(tokens(7000..<7010), to: longer)
        try longer.commit()
        guard try rig.isWhole(longer) else { exit(3) }
        try store.close()
        exit(0)
      }
      usleep(10_000)
    }
    exit(2)
  }
}

@Suite(.serialized) struct ProcessTests {
  @Test func `two writers on one store share both ways while they run`() async throws {
    let folder = TemporaryFolder()
    let path = folder.store
    try await Rig(path: path).open().close()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in
          try Party.share(path: path, own: 1000, other: 2000)
        }
      }
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in
          try Party.share(path: path, own: 2000, other: 1000)
        }
      }
    }
    let rig = try Rig(path: path)
    let store = try rig.open()
    #expect(try store.sessions().map(\.name).sorted() == ["s1000", "s1000-on-2000", "s2000", "s2000-on-1000"])
    for info in try store.sessions() { #expect(try rig.isWhole(store.session(named: info.name))) }
    // 6 full blocks and a tail of 2 tokens each; the two longer ones share the 6 and add 2 of their own.
    #expect(try store.statistics().disk.uniqueBlockCount == 2 * 7 + 2 * 2)
    #expect(try store.audit().isEmpty)
  }

  @Test func `a reader follows a writer's sessions without hindering it`() async throws {
    let folder = TemporaryFolder()
    let path = folder.store
    let rig = try Rig(path: path)
    try await rig.open().close()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in
          let rig = try Rig(path: path)
          let store = try rig.open(blocks: 4)
          let session = try rig.space(store).createSession(named: "growing")
          for step in 0..<60 {
            try rig.append(tokens(step * 7..<step * 7 + 7), to: session)
            try session.commit()
          }
          try store.close()
          exit(0)
        }
      }
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in
          let rig = try Rig(path: path)
          let store = try rig.open(blocks: 4, access: .readOnly)
          var seen = 0
          for _ in 0..<30_000 where seen < 420 {
            guard let session = try? store.session(named: "growing") else {
              usleep(2000)
              continue
            }
            guard session.tokenCount >= seen else { exit(2) }
            seen = session.tokenCount
            guard try rig.isWhole(session) else { exit(3) }
          }
          exit(seen == 420 ? 0 : 4)
        }
      }
    }
    let store = try rig.open()
    #expect(try rig.isWhole(store.session(named: "growing")))
  }
}
