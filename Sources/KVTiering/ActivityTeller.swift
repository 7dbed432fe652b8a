import Synchronization

// Invariants:
// - It belongs to the writer thread, and tells at most once an interval.
// - While the writer waits without a limit, either all was told or `isDozing` is set: then the next use of the pager
//   wakes the writer, which tells of it within an interval. So no burst stays untold, and a quiet pager wakes nobody.

/// Tells what the pager does, now and then, from the writer thread.
struct ActivityTeller {
  private var told: PagerStatistics?
  private var toldMilliseconds = 0

  /// Tells where something changed and the interval is over. Milliseconds until it is to be asked again; nil where
  /// nothing will be to tell until the pager is used again.
  mutating func tell(_ core: PagerCore) -> Int? {
    guard let tells = core.configuration.tellsActivity else { return nil }
    // Set before the look: who changes the figures after it sees the flag, for the state's lock lies between.
    core.isDozing.store(true, ordering: .relaxed)
    let now = core.state.withLock { $0.statistics }
    guard now != told else { return nil }
    core.isDozing.store(false, ordering: .relaxed)
    let remaining = remainingMilliseconds(core)
    if told != nil, remaining > 0 { return remaining }
    tells(now)
    told = now
    toldMilliseconds = WriterPacing.milliseconds()
    return core.configuration.activityIntervalMilliseconds
  }

  /// As ``tell(_:)``, while the writer is at work and does not wait.
  mutating func tellWhileWorking(_ core: PagerCore) {
    guard core.configuration.tellsActivity != nil, remainingMilliseconds(core) <= 0 else { return }
    _ = tell(core)
  }

  private func remainingMilliseconds(_ core: PagerCore) -> Int {
    toldMilliseconds + core.configuration.activityIntervalMilliseconds - WriterPacing.milliseconds()
  }
}

extension PagerCore {
  /// Called where the pager was used, after its state was changed. One relaxed load, but for the first use after a
  /// quiet time.
  @inline(__always)
  func noteActivity() {
    if isDozing.load(ordering: .relaxed) { wakeTeller() }
  }

  @inline(never)
  private func wakeTeller() {
    if isDozing.exchange(false, ordering: .relaxed) { writerBell.advance() }
  }
}
