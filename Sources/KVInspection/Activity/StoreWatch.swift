import KVBlocks
import KVDiskTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants:
// - The store is open for reading from one look to the next, without a transaction: nothing of it is pinned meanwhile.
// - One look reads bounded parts only, whatever the store's size.

/// Looks at a store in use, again and again.
package final class StoreWatch {
  private let path: String
  private var tier: DiskTier
  private var inode: UInt64?
  private var rounds = SessionRounds()
  private var history: [WatchInterval] = []
  private var last: (counters: StoreActivity.Counters, seconds: Double)?

  /// - Throws: as opening a store for reading does.
  package init(path: String) throws(StoreError) {
    self.path = path
    inode = StoreActivity.dataInode(directory: path)
    tier = try Self.open(path)
  }

  deinit { tier.close() }

  private static func open(_ path: String) throws(StoreError) -> DiskTier {
    try DiskTier(path: path, options: DiskTierOptions(access: .readOnly))
  }

  /// Looks now. A few milliseconds, unless all sessions are to be seen first.
  package func look(untilAllSessions: Bool = false) throws(StoreError) -> WatchFacts {
    try followReplacement()
    let activity = StoreActivity.read(directory: path)
    let now = StoreClock.microseconds()
    var gauge = try tier.gauge()
    gauge.readers = gauge.readers.compactMap { reader in
      guard reader.processID != getpid() else { return nil }
      var reader = reader
      reader.isAlive = ProcessIdentity(runningAs: reader.processID) != nil
      return reader
    }
    note(activity?.total ?? StoreActivity.Counters())
    repeat {
      try rounds.step(tier, commit: gauge.commit, nowMicroseconds: now)
    } while untilAllSessions && !rounds.isComplete
    return WatchFacts(
      path: path, timeMicroseconds: now, gauge: gauge, activity: activity, history: history, sessions: rounds.foremost,
      hasAllSessions: rounds.isComplete)
  }

  private func note(_ counters: StoreActivity.Counters) {
    let seconds = Self.seconds()
    if let last, seconds > last.seconds {
      history.append(WatchInterval(counters: counters - last.counters, seconds: seconds - last.seconds))
      if history.count > WatchFacts.historyLimit { history.removeFirst() }
    }
    last = (counters, seconds)
  }

  /// Another file in the store's place is another store: `kvpager compact` puts one there.
  private func followReplacement() throws(StoreError) {
    let found = StoreActivity.dataInode(directory: path)
    guard found != inode else { return }
    guard found != nil else { throw StoreError(.notFound, "the store at \(path) was deleted or moved away") }
    tier.close()
    tier = try Self.open(path)
    inode = found
    rounds = SessionRounds()
  }

  private static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1_000_000_000
  }
}
