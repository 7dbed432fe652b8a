import KVBlocks
import SafeLMDB

/// What a store holds, counted in one snapshot.
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

    mutating func add(_ head: BlockHead) {
      uniqueCount += 1
      referenceCount += Int(head.sessionCount)
      logicalPayloadBytes &+= Int(head.sessionCount) &* head.payloadByteCount
      uniquePayloadBytes &+= head.payloadByteCount
      frameBytes &+= head.frame.byteCount
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
  /// Counts the store: reads each block's and session's record once.
  package func statistics() throws(StoreError) -> DiskStatistics {
    var statistics = try environment.read { (transaction) throws(StoreError) in
      var statistics = DiskStatistics()
      try transaction.forEach(in: tables.blocks) { (bytes, value) throws(StoreError) in
        do throws(StoreError) {
          guard let key = Keys.block(of: bytes) else { throw .damagedRecord("block", "its key is no space and hash") }
          let head = try BlockFormat.decodeHead(value)
          statistics.total.add(head)
          statistics.spaces[key.space, default: .init()].add(head)
        } catch  where error.code == .damaged {
          statistics.damagedRecordCount += 1
        }
        return true
      }
      let sessions = try tables.allSessions(transaction) { _, _ in statistics.damagedRecordCount += 1 }
      for (summary, _) in sessions {
        statistics.total.sessionCount += 1
        statistics.spaces[summary.space, default: .init()].sessionCount += 1
        statistics.checkpointFrameBytes += summary.checkpoint?.frame.byteCount ?? 0
      }
      statistics.usedBytes = try tables.usedPageCount(transaction) * environment.pageByteCount
      statistics.deletableBlockCount = try transaction.size(of: tables.recency).entryCount
      return statistics
    }
    do { statistics.diskBytes = try environment.fileByteCount() } catch { throw StoreError(error) }
    statistics.quotaBytes = options.quotaBytes
    return statistics
  }
}
