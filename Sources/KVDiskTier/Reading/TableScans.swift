import KVBlocks
import KVCodec
import SafeLMDB

/// How a scan came by what it saw.
package struct ScanOutcome: Hashable, Sendable {
  package var entryCount = 0
  package var transactionCount = 0
  /// Nobody committed meanwhile: what was seen is one state of the store.
  package var isOneSnapshot = true
  /// The number of the commit that the last transaction showed; nil before the first.
  package private(set) var snapshot: UInt64?

  package init() {}

  mutating func note(_ transaction: borrowing ReadTransaction) {
    transactionCount += 1
    if let snapshot, snapshot != transaction.snapshot { isOneSnapshot = false }
    snapshot = transaction.snapshot
  }
}

/// Scans of whole tables, for the inspector. Each goes through many short read transactions, none of which lasts long
/// enough for a writer to miss the pages that it pins, and keeps the map's pages out of resident memory. While others
/// write, an entry that was there all the time is seen once; one that came or went may be seen or not.
extension DiskTier {
  /// Records in one transaction of a scan.
  package static let scanRecordLimit = 8192
  /// Sessions in one transaction of a scan, whose bodies are read whole.
  package static let scanSessionLimit = 256
  /// Blocks looked up in one transaction: each lies in a page of its own, and the system maps its neighbours with it.
  static let lookUpLimit = 512
  /// Bytes of values in one transaction of a scan, about: a large one counts for many small ones.
  static let scanByteLimit = 16 << 20

  /// Visits all stored blocks, by space and hash, until `body` answers false.
  /// - Parameter damaged: is told of records that cannot be read.
  @discardableResult
  package func scanBlocks(
    in space: SpaceID? = nil, damaged: (BlockKey?, StoreError) -> Void = { _, _ in },
    _ body: (BlockSummary) throws(StoreError) -> Bool
  ) throws(StoreError) -> ScanOutcome {
    try scan(tables.blocks, from: space.map { Keys.space($0) }, limit: Self.scanRecordLimit) {
      (_, bytes, value, _) throws(StoreError) in
      let key = Keys.block(of: bytes)
      if let space, let key, key.space != space { return false }
      let summary: BlockSummary
      do throws(StoreError) {
        guard let key else { throw .damagedRecord("block", "its key is no space and hash") }
        summary = BlockSummary(key: key, try BlockFormat.decodeHead(value))
      } catch  where error.code == .damaged {
        damaged(key, error)
        return true
      }
      return try body(summary)
    }
  }

  /// Visits all sessions whole, by space and name, until `body` answers false.
  /// - Parameter damaged: is told the names of sessions whose record or body cannot be read, "?" where the name cannot.
  @discardableResult
  package func scanSessions(
    damaged: (String, StoreError) -> Void = { _, _ in },
    _ body: (SessionSummary, SessionRecord) throws(StoreError) -> Bool
  ) throws(StoreError) -> ScanOutcome {
    try scan(tables.sessions, limit: Self.scanSessionLimit) {
      (transaction, bytes, value, readByteCount) throws(StoreError) in
      let key = Keys.session(of: bytes)
      let (summary, record): (SessionSummary, SessionRecord)
      do throws(StoreError) {
        guard let key else { throw .damagedRecord("session", "its key is no space and name") }
        let found = try SessionFormat.decode(value, space: key.space, name: key.name)
        summary = found.summary
        readByteCount += summary.body.byteCount
        record = try tables.sessionBody(summary, inline: found.inlineBody, transaction).record
      } catch  where error.code == .damaged {
        damaged(key?.name ?? "?", error)
        return true
      }
      return try body(summary, record)
    }
  }

  /// What the store knows of `hashes`, nil for those that are not stored or whose record is damaged. One short
  /// transaction for each ``lookUpLimit`` of them.
  package func summaries(of hashes: [BlockHash], in space: SpaceID) throws(StoreError) -> [BlockSummary?] {
    var summaries: [BlockSummary?] = []
    summaries.reserveCapacity(hashes.count)
    while summaries.count < hashes.count {
      let part = hashes[summaries.count..<min(summaries.count + Self.lookUpLimit, hashes.count)]
      try environment.read { (transaction) throws(StoreError) in
        for hash in part {
          let key = BlockKey(space: space, hash: hash)
          do throws(StoreError) {
            summaries.append(try tables.blockHead(key, transaction).map { BlockSummary(key: key, $0) })
          } catch  where error.code == .damaged {
            summaries.append(nil)
          }
        }
        if hashes.count > Self.lookUpLimit { transaction.releaseMap() }
      }
    }
    return summaries
  }

  /// The header of a block's frame; nil where the block is not stored. - Throws: `damaged`.
  package func frameHeader(of key: BlockKey) throws(StoreError) -> FrameHeader? {
    try environment.read { (transaction) throws(StoreError) in
      guard let head = try tables.blockHead(key, transaction) else { return nil }
      return try tables.frameHeader(of: head.frame, transaction)
    }
  }

  /// Visits a table's entries through as many transactions as they take.
  /// - Parameter body: adds to the last what it read apart from the value, in bytes.
  func scan(
    _ table: Table, from start: [UInt8]? = nil, limit: Int,
    _ body: (borrowing ReadTransaction, RawSpan, RawSpan, inout Int) throws(StoreError) -> Bool
  ) throws(StoreError) -> ScanOutcome {
    var outcome = ScanOutcome()
    var last: [UInt8]?
    var isDone = false
    while !isDone {
      try environment.read { (transaction) throws(StoreError) in
        outcome.note(transaction)
        var (count, byteCount) = (0, 0)
        isDone = true
        let first = last ?? start ?? []
        try transaction.forEach(in: table, from: first.isEmpty ? nil : first.span.bytes) {
          (key, value) throws(StoreError) in
          if let last, key.withUnsafeBytes({ $0.elementsEqual(last) }) { return true }
          count += 1
          byteCount += value.byteCount
          guard try body(transaction, key, value, &byteCount) else { return false }
          guard count < limit, byteCount < Self.scanByteLimit else {
            last = key.withUnsafeBytes { Array($0) }
            isDone = false
            return false
          }
          return true
        }
        outcome.entryCount += count
        if outcome.transactionCount > 1 || !isDone { transaction.releaseMap() }
      }
    }
    return outcome
  }
}
