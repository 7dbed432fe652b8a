import KVBlocks

/// What a store holds. While others write, counts may be of different moments.
package struct DiskStatistics: Hashable, Sendable {
  /// Blocks and their bytes, of one space or of all.
  package struct Blocks: Hashable, Sendable {
    /// Blocks that are stored.
    package var uniqueCount = 0
    /// Places in sessions' block tables.
    package var referenceCount = 0
    /// Bytes of rows as if each session had its own.
    package var logicalPayloadBytes = 0
    /// Bytes of rows of the blocks stored, before the codec.
    package var uniquePayloadBytes = 0
    /// Bytes of the blocks' frames, after the codec.
    package var frameBytes = 0
    /// Sessions of the space.
    package var sessionCount = 0

    mutating func add(_ block: BlockSummary) {
      uniqueCount += 1
      referenceCount += block.sessionCount
      logicalPayloadBytes &+= block.sessionCount &* block.payloadByteCount
      uniquePayloadBytes &+= block.payloadByteCount
      frameBytes &+= block.frame.byteCount
    }
  }

  package var total = Blocks()
  package var spaces: [SpaceID: Blocks] = [:]
  /// Bytes of the sessions' checkpoints, after the codec.
  package var checkpointFrameBytes = 0
  /// Bytes of the data file.
  package var diskBytes = 0
  /// Bytes of the pages in use: the rest of the file waits to be used again.
  package var usedBytes = 0
  package var quotaBytes: Int?
  /// Blocks that the quota may delete.
  package var deletableBlockCount = 0
  /// Records that could not be read and are counted nowhere else.
  package var damagedRecordCount = 0
}

extension DiskTier {
  /// Counts the store: reads each block's and session's record once, through many short transactions.
  package func statistics() throws(StoreError) -> DiskStatistics {
    var statistics = DiskStatistics()
    var damagedCount = 0
    try scanBlocks(damaged: { _, _ in damagedCount += 1 }) { (block) throws(StoreError) in
      statistics.total.add(block)
      statistics.spaces[block.key.space, default: .init()].add(block)
      return true
    }
    try scanSessionSummaries(damaged: { _, _ in damagedCount += 1 }) { (session) throws(StoreError) in
      statistics.total.sessionCount += 1
      statistics.spaces[session.space, default: .init()].sessionCount += 1
      statistics.checkpointFrameBytes &+= session.checkpoint?.frame.byteCount ?? 0
      return true
    }
    _ = try spaces(damaged: { _, _ in damagedCount += 1 })
    statistics.damagedRecordCount = damagedCount
    statistics.deletableBlockCount = try deletableBlockCount()
    (statistics.diskBytes, statistics.usedBytes) = try fileSize()
    statistics.quotaBytes = options.quotaBytes
    return statistics
  }
}
