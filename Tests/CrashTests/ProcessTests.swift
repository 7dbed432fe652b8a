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

/// What a writer and a reader do on a store whose quota is too small for what passes by.
private enum Crowd {
  static let quotaBytes = 2 << 20
  static func rig(_ path: String) throws -> Rig { try Rig(path: path, blockTokenCount: 16, rowByteCount: 256) }
  static func shared(_ number: Int) -> [Token] { tokens(number % 3 * 1000..<number % 3 * 1000 + 80) }

  /// Commits sessions on shared prompts, deletes most of them again, and passes by with cache blocks.
  static func write(path: String, own: Int) throws -> Never {
    let rig = try rig(path)
    let store = try rig.open(blocks: 16, quotaBytes: quotaBytes)
    let space = try rig.space(store)
    for round in 0..<20 {
      let start = 100_000 * own + 1000 * round
      try rig.append(tokens(start..<start + 240), to: space.createSession(named: "passing \(own)"))
      let session = try space.createSession(named: "\(own)-\(round)")
      try rig.append(shared(round) + tokens(start + 500..<start + 540), to: session)
      do {
        try session.commit()
        guard try rig.isWhole(session) else { exit(3) }
      } catch let error as StoreError where error.code == .blockLost {
        // The other process's quota took what this one only held; the session says so and nothing is committed.
        continue
      }
      if round >= 4 { try? store.deleteSession(named: "\(own)-\(round - 4)") }
      if round % 8 == 7 { _ = try store.collectGarbage() }
    }
    try store.close()
    exit(0)
  }

  /// Reads what prefixes there are until the writers have ended; a prefix may shrink, and never lies.
  static func read(path: String) throws -> Never {
    let rig = try rig(path)
    let store = try rig.open(blocks: 8, access: .readOnly)
    let space = try rig.space(store)
    for number in 0..<100 {
      let wanted = shared(number)
      let prefix = try space.longestPrefix(of: wanted)
      let states = rig.rows.states(of: wanted)
      for plane in rig.layout.planes.indices {
        let rowByteCount = rig.layout.planes[plane].rowByteCount
        var bytes = [UInt8](repeating: 0, count: prefix.tokenCount * rowByteCount)
        let isRight = try bytes.withUnsafeMutableBytes { buffer in
          let count = try prefix.gather(plane: plane, into: buffer)
          return rig.rows.matches(
            UnsafeRawBufferPointer(rebasing: buffer[..<(count * rowByteCount)]), plane: plane, states: states[..<count])
        }
        guard isRight else { exit(4) }
      }
      usleep(2000)
    }
    exit(0)
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

  @Test func `two writers over one small quota and a reader leave all that was committed whole`() async throws {
    let folder = TemporaryFolder()
    let path = folder.store
    let rig = try Crowd.rig(path)
    let first = try rig.open(quotaBytes: Crowd.quotaBytes)
    _ = try rig.space(first)
    try await first.close()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in try Crowd.write(path: path, own: 1) }
      }
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in try Crowd.write(path: path, own: 2) }
      }
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String] in try Crowd.read(path: path) }
      }
    }
    let store = try rig.open(quotaBytes: Crowd.quotaBytes)
    let names = try store.sessions().map(\.name)
    #expect(names.count > 2)
    for name in names { #expect(try rig.isWhole(store.session(named: name)), "\(name)") }
    #expect(try store.statistics().disk.usedBytes <= Crowd.quotaBytes)
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
