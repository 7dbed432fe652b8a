import KVBlocks
import SafeLMDB

/// What a store holds, as far as LMDB keeps count of it: no record is read, whatever the store's size.
package struct StoreGauge: Hashable, Sendable {
  package var sessionCount: Int
  package var blockCount: Int
  /// Blocks in no session: what a quota may delete.
  package var deletableBlockCount: Int
  package var fileByteCount: Int
  /// Bytes of the pages in use.
  package var usedByteCount: Int
  /// The number of the commit that this shows.
  package var commit: UInt64
  /// Processes in the table of readers, this one included.
  package var readers: [EnvironmentReader]

  package init(
    sessionCount: Int = 0, blockCount: Int = 0, deletableBlockCount: Int = 0, fileByteCount: Int = 0,
    usedByteCount: Int = 0, commit: UInt64 = 0, readers: [EnvironmentReader] = []
  ) {
    self.sessionCount = sessionCount
    self.blockCount = blockCount
    self.deletableBlockCount = deletableBlockCount
    self.fileByteCount = fileByteCount
    self.usedByteCount = usedByteCount
    self.commit = commit
    self.readers = readers
  }
}

extension DiskTier {
  /// One short transaction and a look at the table of readers.
  package func gauge() throws(StoreError) -> StoreGauge {
    // Before this one's own transaction stands in the table.
    let readers: [EnvironmentReader]
    do { readers = try environment.readers() } catch { throw StoreError(error) }
    var gauge = try environment.read { (transaction) throws(StoreError) in
      StoreGauge(
        sessionCount: try transaction.size(of: tables.sessions).entryCount,
        blockCount: try transaction.size(of: tables.blocks).entryCount,
        deletableBlockCount: try transaction.size(of: tables.recency).entryCount,
        usedByteCount: try tables.usedPageCount(transaction) * environment.pageByteCount,
        commit: transaction.snapshot)
    }
    gauge.readers = readers
    do { gauge.fileByteCount = try environment.fileByteCount() } catch { throw StoreError(error) }
    return gauge
  }

  /// Sessions' summaries in the order of space and name, so many at a time, in one short transaction.
  /// - Parameter last: where the part before this one ended; nil: from the first.
  /// - Returns: the summaries, without records that cannot be read, and where they end; nil: with the last one.
  package func sessionSummaries(
    after last: [UInt8]?, limit: Int
  ) throws(StoreError) -> (summaries: [SessionSummary], end: [UInt8]?) {
    try environment.read { (transaction) throws(StoreError) in
      var summaries: [SessionSummary] = []
      var end: [UInt8]?
      var count = 0
      let first = last ?? []
      try transaction.forEach(in: tables.sessions, from: first.isEmpty ? nil : first.span.bytes) {
        (key, value) throws(StoreError) in
        if let last, key.withUnsafeBytes({ $0.elementsEqual(last) }) { return true }
        guard count < limit else { return false }
        count += 1
        // The last of a full part: perhaps more follows.
        if count == limit { end = key.withUnsafeBytes { Array($0) } }
        guard let (space, name) = Keys.session(of: key) else { return true }
        do throws(StoreError) {
          summaries.append(try SessionFormat.decode(value, space: space, name: name).summary)
        } catch  where error.code == .damaged {
          return true
        }
        return true
      }
      transaction.releaseMap()
      return (summaries, end)
    }
  }
}
