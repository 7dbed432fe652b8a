/// What a store holds and what it did since it was opened.
public struct StoreStatistics: Hashable, Sendable {
  public struct Memory: Hashable, Sendable {
    /// The RAM budget for decoded frames.
    public var budgetBytes = 0
    /// Bytes of frames allocated now, and at most so far. Never over the budget.
    public var allocatedBytes = 0
    public var peakBytes = 0
    public var frameCount = 0
    public var pinnedFrameCount = 0
    public var dirtyFrameCount = 0
    /// Blocks that were asked for and found in RAM, found on disk, found nowhere.
    public var memoryHitCount = 0
    public var diskHitCount = 0
    public var missCount = 0
    /// Blocks read from disk into frames, and callers that joined another's load.
    public var loadCount = 0
    public var joinedLoadCount = 0
    /// Planes read from disk into the caller's memory, past the frames.
    public var planeReadCount = 0
    public var evictionCount = 0
    /// Appended blocks that the store had already.
    public var sharedBlockCount = 0
    public var writtenBackBlockCount = 0
    /// Bytes of the frames that were written to disk.
    public var writtenBytes = 0
    /// Transactions that wrote.
    public var transactionCount = 0
    /// Blocks whose checksum or identity failed when loaded.
    public var damagedBlockCount = 0
    /// Blocks that a full quota refused and no session needed.
    public var droppedBlockCount = 0
  }

  public struct Disk: Hashable, Sendable {
    public var sessionCount = 0
    public var uniqueBlockCount = 0
    /// Blocks counted once for each session that has them.
    public var blockReferenceCount = 0
    /// Bytes of KV rows as the sessions see them: a shared block counts for each.
    public var logicalBytes = 0
    /// Bytes of KV rows with every block counted once.
    public var uniqueBytes = 0
    /// Bytes of the frames that hold them.
    public var compressedBytes = 0
    /// The file's size.
    public var fileBytes = 0
    /// Of it, bytes in use.
    public var usedBytes = 0
    public var quotaBytes: Int?
    /// Blocks in no session: what the quota may delete.
    public var deletableBlockCount = 0
    /// Bytes of the sessions' checkpoints, compressed.
    public var checkpointBytes = 0
    /// Records that could not be read and are counted nowhere else.
    public var damagedRecordCount = 0
  }

  public var memory = Memory()
  public var disk = Disk()
}

/// What a garbage collection took away.
public struct GarbageReport: Hashable, Sendable {
  public var expiredSessionCount = 0
  public var deletedBlockCount = 0
  public var freedBytes = 0
  /// Extents of frames whose records are lost: left, for `kvpager verify --repair` to bring blocks and sessions back
  /// from.
  public var keptExtentCount = 0
}
