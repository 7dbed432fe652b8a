import KVBlocks
import KVDiskTier
import KVPager
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// What a store in use tells other processes of itself.
@Suite struct ActivityTests {
  /// Waits until what the store tells is right; the test fails where that never comes.
  private func activity(
    _ rig: Rig, until isRight: (StoreActivity) -> Bool, _ location: SourceLocation = #_sourceLocation
  ) throws -> StoreActivity {
    for _ in 0..<3000 {
      if let activity = StoreActivity.read(directory: rig.path), isRight(activity) { return activity }
      usleep(10_000)
    }
    return try #require(nil as StoreActivity?, "\(String(describing: StoreActivity.read(directory: rig.path)))")
  }

  private func expectEqual(_ counters: StoreActivity.Counters, _ store: Store) {
    let memory = store.memoryStatistics
    #expect(counters.memoryHits == UInt64(memory.memoryHitCount))
    #expect(counters.diskHits == UInt64(memory.diskHitCount))
    #expect(counters.misses == UInt64(memory.missCount))
    #expect(counters.loads == UInt64(memory.loadCount))
    #expect(counters.planeReads == UInt64(memory.planeReadCount))
    #expect(counters.evictions == UInt64(memory.evictionCount))
    #expect(counters.writeBacks == UInt64(memory.writtenBackBlockCount))
    #expect(counters.bytesWritten == UInt64(memory.writtenBytes))
    #expect(counters.transactions == UInt64(memory.transactionCount))
    #expect(counters.damagedLoads == UInt64(memory.damagedBlockCount))
  }

  @Test func `what a store tells while it is used and when it is closed equals its own statistics`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 6, quotaBytes: 64 << 20)
    let opened = try activity(rig) { !$0.processes.isEmpty }
    #expect(opened.processes.map(\.processID) == [getpid()])
    #expect(opened.processes.first?.quotaBytes == 64 << 20)
    #expect(opened.processes.first?.isReadOnly == false)
    let space = try rig.space(store)
    for number in 0..<4 {
      let session = try space.createSession(named: "chat \(number)")
      try rig.append(tokens(number * 50..<number * 50 + 50), to: session)
      try session.commit()
      #expect(try rig.isWhole(session))
    }
    // The last burst before a quiet time is told too, without any further use of the store.
    let counted = store.memoryStatistics
    let busy = try activity(rig) { $0.total.planeReads == UInt64(counted.planeReadCount) && $0.total.evictions > 0 }
    expectEqual(busy.total, store)
    #expect(busy.total.sessionCommits == 4)
    let process = try #require(busy.processes.first)
    #expect(process.memoryBytes == UInt64(counted.allocatedBytes))
    #expect(process.memoryBudgetBytes == UInt64(counted.budgetBytes))
    #expect(process.pinnedBlocks == 0 && process.dirtyBlocks == 0)

    // A use after the quiet time wakes the teller.
    let hits = busy.total.memoryHits
    let again = try store.session(named: "chat 3")
    #expect(try again.lease(tokens: 40..<50).tokenCount == 10)
    _ = try activity(rig) { $0.total.memoryHits + $0.total.diskHits > hits + busy.total.diskHits }

    try store.close()
    let closed = try #require(StoreActivity.read(directory: rig.path))
    expectEqual(closed.total, store)
    #expect(closed.processes.isEmpty)
    #expect(closed.endedCount == 1)
  }

  @Test func `openings add up, also those that nobody closed`() throws {
    let rig = try Rig()
    var commits = 0
    for round in 0..<3 {
      let store = try rig.open()
      let session = try rig.space(store).createSession(named: "chat \(round)")
      try rig.append(tokens(0..<20), to: session)
      try session.commit()
      commits += 1
      // The second is only let go.
      if round != 1 { try store.close() }
    }
    let activity = try #require(StoreActivity.read(directory: rig.path))
    #expect(activity.total.sessionCommits == UInt64(commits))
    #expect(activity.endedCount == 3)
    #expect(activity.processes.isEmpty)
  }

  @Test func `a reader tells of itself where it may`() throws {
    let rig = try Rig()
    try rig.open().close()
    let reader = try rig.open(access: .readOnly)
    let activity = try activity(rig) { !$0.processes.isEmpty }
    #expect(activity.processes.map(\.isReadOnly) == [true])
    try reader.close()
    #expect(StoreActivity.read(directory: rig.path)?.endedCount == 2)
  }

  @Test func `many openings leave no descriptor and no thread behind`() throws {
    func count(_ folder: String) -> Int {
      guard let list = opendir(folder) else { return -1 }
      defer { closedir(list) }
      var count = 0
      while readdir(list) != nil { count += 1 }
      return count
    }
    let rig = try Rig()
    try rig.open().close()
    // Other tests open and close too: what leaks here would be hundreds.
    let before = (count("/proc/self/fd"), count("/proc/self/task"))
    for _ in 0..<300 { try rig.open(blocks: 1).close() }
    let after = (count("/proc/self/fd"), count("/proc/self/task"))
    #expect(after.0 - before.0 < 200)
    #expect(after.1 - before.1 < 200)
    #expect(StoreActivity.read(directory: rig.path)?.endedCount == 301)
  }

  @Test func `a store works on where its file of activity cannot be`() throws {
    let rig = try Rig()
    try rig.open().close()
    let path = "\(rig.path)/activity"
    unlink(path)
    mkdir(path, 0o755)
    defer { rmdir(path) }
    let store = try rig.open()
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<20), to: session)
    try session.commit()
    #expect(try rig.isWhole(session))
    try store.close()
    #expect(StoreActivity.read(directory: rig.path) == nil)
  }
}
