import Foundation
import KVPager
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// How many random points writers are killed at: 50, or a thousand with KVPAGER_LONG=1.
private let killCount = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == "1" ? 1000 : 50

/// One thread writes, this one kills the process at a moment of its own.
private func killThisProcess(seed: UInt64, withinMicroseconds limit: UInt32) {
  let thread = Thread {
    var random = SplitMix64(seed: seed &+ 0x5eed)
    usleep(UInt32.random(in: 2_000...limit, using: &random))
    _ = kill(getpid(), SIGKILL)
  }
  thread.start()
}

@Suite(.serialized) struct KillTests {
  @Test func `a writer killed while the quota deletes and garbage is collected leaves every session whole`()
    async throws
  {
    let folder = TemporaryFolder()
    let (path, logPath) = (folder.store, "\(folder.path)/log")
    let rig = try Rig(path: path, rowByteCount: 256)
    var checked = 0
    for kill in 0..<max(12, killCount / 4) {
      let seed = UInt64(kill)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, logPath = logPath as String, seed = seed as UInt64] in
        killThisProcess(seed: seed, withinMicroseconds: 600_000)
        try CrashWriter(rig: Rig(path: path, rowByteCount: 256), logPath: logPath)
          .run(seed: 0, quotaBytes: 3 << 20)
      }
      checked += try check(rig, logPath: logPath, kill: kill)
    }
    #expect(checked > 12)
  }

  @Test func `a writer killed at random points leaves every committed session whole`() async throws {
    let folder = TemporaryFolder()
    let (path, logPath) = (folder.store, "\(folder.path)/log")
    let rig = try Rig(path: path)
    var checked = 0
    for kill in 0..<killCount {
      let seed = UInt64(kill)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, logPath = logPath as String, seed = seed as UInt64] in
        killThisProcess(seed: seed, withinMicroseconds: 90_000)
        try CrashWriter(rig: Rig(path: path), logPath: logPath).run(seed: seed % 4)
      }
      checked += try check(rig, logPath: logPath, kill: kill)
    }
    // A run whose kills all came before the first commit would prove nothing.
    #expect(checked > killCount)
  }

  /// Opens what the kill left and reads all of it. Returns the sessions that were promised.
  private func check(_ rig: Rig, logPath: String, kill: Int) throws -> Int {
    let log = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
    let promised = CrashWriter.promises(in: log)
    let store = try rig.open(blocks: 6)
    defer { try? store.close() }
    let sessions = try store.sessions()
    let names = Set(sessions.map(\.name))
    for (name, count) in promised {
      let session = sessions.first { $0.name == name }
      #expect((session?.tokenCount ?? -1) >= count, "kill \(kill): \(name) was committed with \(count) tokens")
    }
    for name in names {
      let session = try store.session(named: name)
      #expect(session.tokens == CrashWriter.tokens(of: name, count: session.tokenCount), "kill \(kill): \(name)")
      #expect(try rig.isWhole(session), "kill \(kill): \(name) has other rows")
    }
    #expect(try store.audit().isEmpty, "kill \(kill)")
    return promised.count
  }
}
