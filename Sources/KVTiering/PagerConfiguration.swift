import KVMemoryTier

/// What a pager is allowed to use.
package struct PagerConfiguration: Sendable {
  /// Bytes of decoded frames in RAM at most.
  package var memoryBudgetBytes: Int
  /// Dirty frames are written back in batches of about this many bytes.
  package var writeBatchBytes: Int
  /// Threads that load blocks besides the caller's own.
  package var loadThreadCount: Int
  /// What leaves RAM first.
  package var eviction: EvictionChoice
  /// Dirty blocks that nothing else moves are written back after so long, so that a crash costs little of the cache.
  package var idleWriteBackMilliseconds: Int
  /// A block's last use is told to the disk tier at most so often.
  package var touchIntervalMicroseconds: UInt64
  /// Where the pager tells what it did, see ``ActivityTeller``; nil: nowhere.
  package var tellsActivity: (@Sendable (PagerStatistics) -> Void)?
  /// At most so often.
  package var activityIntervalMilliseconds = 250

  package init(
    memoryBudgetBytes: Int, writeBatchBytes: Int = 64 << 20, loadThreadCount: Int = 2,
    eviction: EvictionChoice = .tailFirstLRU, idleWriteBackMilliseconds: Int = 1000,
    touchIntervalMicroseconds: UInt64 = 1_000_000, tellsActivity: (@Sendable (PagerStatistics) -> Void)? = nil
  ) {
    self.memoryBudgetBytes = memoryBudgetBytes
    self.writeBatchBytes = writeBatchBytes
    self.loadThreadCount = loadThreadCount
    self.eviction = eviction
    self.idleWriteBackMilliseconds = idleWriteBackMilliseconds
    self.touchIntervalMicroseconds = touchIntervalMicroseconds
    self.tellsActivity = tellsActivity
  }

  /// Dirty bytes from which the writer starts by itself: a batch, or half of a small budget, so that filling goes on
  /// meanwhile.
  var writeBackThresholdBytes: Int { min(writeBatchBytes, max(1, memoryBudgetBytes / 2)) }
}
