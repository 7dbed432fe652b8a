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
// - A look that writers overtook, where no lock keeps them from it, shows the store as the last one did.

/// Looks at a store in use, again and again.
package final class StoreWatch {
  private let path: String
  private var tier: DiskTier
  private var inode: UInt64?
  private var rounds = SessionRounds()
  private var history: [WatchInterval] = []
  private var last: (counters: StoreActivity.Counters, seconds: Double)?
  private var lastGauge: StoreGauge?
  /// How often the store is read anew where writers overtook the reading.
  static let attemptLimit = 5

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
    note(activity?.total ?? StoreActivity.Counters())
    let gauge = try Self.undisturbed(else: lastGauge) { () throws(StoreError) in try readGauge() }
    lastGauge = gauge
    var isRead = true
    repeat {
      isRead = try Self.undisturbed(else: false) { () throws(StoreError) in
        try rounds.step(tier, commit: gauge.commit, nowMicroseconds: now)
        return true
      }
    } while isRead && untilAllSessions && !rounds.isComplete
    return WatchFacts(
      path: path, timeMicroseconds: now, gauge: gauge, activity: activity, history: history, sessions: rounds.foremost,
      hasAllSessions: rounds.isComplete)
  }

  private func readGauge() throws(StoreError) -> StoreGauge {
    var gauge = try tier.gauge()
    gauge.readers = gauge.readers.compactMap { reader in
      guard reader.processID != getpid() else { return nil }
      var reader = reader
      reader.isAlive = ProcessIdentity(runningAs: reader.processID) != nil
      return reader
    }
    return gauge
  }

  /// What `read` says; where the store is written all the time while it reads, `known`.
  /// - Throws: `busy` where nothing is known either.
  static func undisturbed<R>(else known: R?, _ read: () throws(StoreError) -> R) throws(StoreError) -> R {
    for _ in 1..<attemptLimit {
      do throws(StoreError) { return try read() } catch  where error.code == .busy { continue }
    }
    do throws(StoreError) {
      return try read()
    } catch {
      guard error.code == .busy, let known else { throw error }
      return known
    }
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
    tier = try Self.undisturbed(else: nil) { () throws(StoreError) in try Self.open(path) }
    inode = found
    rounds = SessionRounds()
  }

  private static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1_000_000_000
  }
}
