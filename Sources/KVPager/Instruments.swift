import Metrics

/// The store's swift-metrics: counters and timers that a host's metrics backend picks up. Costs nothing without a
/// backend.
struct Instruments: Sendable {
  private let prefixTokensAsked = Counter(label: "kvpager.prefix.tokens.asked")
  private let prefixTokensFound = Counter(label: "kvpager.prefix.tokens.found")
  private let commits = Counter(label: "kvpager.session.commits")
  private let commitTime = Timer(label: "kvpager.session.commit.nanoseconds", preferredDisplayUnit: .milliseconds)
  private let memoryBytes = Gauge(label: "kvpager.memory.allocated.bytes")
  private let memoryHits = Gauge(label: "kvpager.memory.hits")
  private let diskHits = Gauge(label: "kvpager.disk.hits")
  private let misses = Gauge(label: "kvpager.misses")
  private let evictions = Gauge(label: "kvpager.evictions")

  func prefixLookedUp(askedTokenCount: Int, foundTokenCount: Int) {
    prefixTokensAsked.increment(by: askedTokenCount)
    prefixTokensFound.increment(by: foundTokenCount)
  }

  func committed(after duration: Duration) {
    commits.increment()
    let (seconds, attoseconds) = duration.components
    commitTime.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  func record(_ memory: StoreStatistics.Memory) {
    memoryBytes.record(memory.allocatedBytes)
    memoryHits.record(memory.memoryHitCount)
    diskHits.record(memory.diskHitCount)
    misses.record(memory.missCount)
    evictions.record(memory.evictionCount)
  }
}
