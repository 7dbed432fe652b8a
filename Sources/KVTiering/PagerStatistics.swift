/// What a pager did since it was made, and what it holds now.
package struct PagerStatistics: Hashable, Sendable {
  // Since the start, in blocks where nothing else is said.
  package var memoryHits: UInt64 = 0
  package var diskHits: UInt64 = 0
  package var misses: UInt64 = 0
  /// Blocks read from disk into frames.
  package var loads: UInt64 = 0
  /// Blocks that a caller needed while another was loading them.
  package var loadsJoined: UInt64 = 0
  package var prefetches: UInt64 = 0
  /// Planes read past the frames, straight from disk.
  package var planeReads: UInt64 = 0
  package var sealed: UInt64 = 0
  /// Sealed blocks that were there already.
  package var shared: UInt64 = 0
  package var evictions: UInt64 = 0
  package var writeBacks: UInt64 = 0
  /// Encoded bytes given to the disk tier and stored.
  package var bytesWritten: UInt64 = 0
  /// Transactions.
  package var batches: UInt64 = 0
  package var failedBatches: UInt64 = 0
  /// Session operations done.
  package var commits: UInt64 = 0
  /// Loads that found a block damaged.
  package var damaged: UInt64 = 0
  /// Blocks that the full quota or a lost parent kept from disk.
  package var dropped: UInt64 = 0
  /// Blocks that the disk tier deleted for the quota during this pager's batches.
  package var quotaDeletions: UInt64 = 0

  // Now.
  package var framesAllocated: Int = 0
  package var allocatedBytes: Int = 0
  package var peakBytes: Int = 0
  package var residentBlocks: Int = 0
  package var pinnedBlocks: Int = 0
  package var dirtyBlocks: Int = 0

  package init() {}
}
