import KVDiskTier
import KVTiering

extension Store {
  /// What the store holds and what it did since it was opened. Reads every block's record once; hands the figures to
  /// the metrics backend too.
  public func statistics() throws(StoreError) -> StoreStatistics {
    try checkUsable()
    let result = StoreStatistics(memory: memoryStatistics, disk: StoreStatistics.Disk(try disk.statistics()))
    instruments.record(result.memory)
    return result
  }

  /// The memory tier's part of ``statistics()``: counters only, nothing is read.
  public var memoryStatistics: StoreStatistics.Memory {
    StoreStatistics.Memory(pager.statistics, budgetBytes: configuration.memoryBudgetBytes)
  }
}

extension PagerStatistics {
  /// What the store's file of activity is told.
  var counters: StoreActivity.Counters {
    var counters = StoreActivity.Counters()
    counters.memoryHits = memoryHits
    counters.diskHits = diskHits
    counters.misses = misses
    counters.loads = loads
    counters.planeReads = planeReads
    counters.evictions = evictions
    counters.writeBacks = writeBacks
    counters.bytesWritten = bytesWritten
    counters.transactions = batches
    counters.sessionCommits = commits
    counters.damagedLoads = damaged
    counters.quotaDeletions = quotaDeletions
    return counters
  }

  func usage(budgetBytes: Int) -> StoreActivity.Usage {
    var usage = StoreActivity.Usage()
    usage.memoryBytes = UInt64(allocatedBytes)
    usage.memoryBudgetBytes = UInt64(budgetBytes)
    usage.residentBlocks = UInt64(residentBlocks)
    usage.pinnedBlocks = UInt64(pinnedBlocks)
    usage.dirtyBlocks = UInt64(dirtyBlocks)
    return usage
  }
}

extension StoreStatistics.Memory {
  init(_ pager: PagerStatistics, budgetBytes: Int) {
    self.init()
    self.budgetBytes = budgetBytes
    allocatedBytes = pager.allocatedBytes
    peakBytes = pager.peakBytes
    frameCount = pager.framesAllocated
    pinnedFrameCount = pager.pinnedBlocks
    dirtyFrameCount = pager.dirtyBlocks
    memoryHitCount = Int(pager.memoryHits)
    diskHitCount = Int(pager.diskHits)
    missCount = Int(pager.misses)
    loadCount = Int(pager.loads)
    joinedLoadCount = Int(pager.loadsJoined)
    planeReadCount = Int(pager.planeReads)
    evictionCount = Int(pager.evictions)
    sharedBlockCount = Int(pager.shared)
    writtenBackBlockCount = Int(pager.writeBacks)
    writtenBytes = Int(pager.bytesWritten)
    transactionCount = Int(pager.batches)
    damagedBlockCount = Int(pager.damaged)
    droppedBlockCount = Int(pager.dropped)
  }
}

extension StoreStatistics.Disk {
  init(_ disk: DiskStatistics) {
    self.init()
    sessionCount = disk.total.sessionCount
    uniqueBlockCount = disk.total.uniqueCount
    blockReferenceCount = disk.total.referenceCount
    logicalBytes = disk.total.logicalPayloadBytes
    uniqueBytes = disk.total.uniquePayloadBytes
    compressedBytes = disk.total.frameBytes
    fileBytes = disk.diskBytes
    usedBytes = disk.usedBytes
    quotaBytes = disk.quotaBytes
    deletableBlockCount = disk.deletableBlockCount
    checkpointBytes = disk.checkpointFrameBytes
    damagedRecordCount = disk.damagedRecordCount
  }
}
