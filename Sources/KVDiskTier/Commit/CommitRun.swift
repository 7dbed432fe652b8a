import KVBlocks
import KVCodec
import SafeLMDB

// Invariants:
// - Lives inside one write transaction. What it remembers (`counters`, `roots`) was read in it.
// - A block's or session's change is checked in full before its first write, so an outcome that is a failure changed
//   nothing.

/// One batch on its way into the store.
struct CommitRun {
  let tables: Tables
  let nowMicroseconds: UInt64
  var counters: StoreCounters
  private let countersAtBegin: StoreCounters
  private var roots: [SpaceID: BlockHash] = [:]
  /// Pages of the frames that were put: what the quota's slack goes by.
  private(set) var putPageCount = 0

  init(
    tables: Tables, nowMicroseconds: UInt64, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) {
    self.tables = tables
    self.nowMicroseconds = nowMicroseconds
    counters = try tables.counters(transaction)
    countersAtBegin = counters
  }

  func finish(_ transaction: inout WriteTransaction) throws(StoreError) {
    guard counters != countersAtBegin else { return }
    try transaction.write(StoreCounters.key, counters.encoded(), in: tables.meta)
  }

  /// The parent of a space's first blocks; nil where there is no such space.
  mutating func root(
    of space: SpaceID, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> BlockHash? {
    if let root = roots[space] { return root }
    let root = try tables.space(space, transaction)?.root
    roots[space] = root
    return root
  }

  mutating func put(
    frame bytes: UnsafeRawBufferPointer, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> FrameReference {
    let frame = try tables.putFrame(bytes, &counters, &transaction)
    putPageCount += ExtentFormat.storedByteCount(of: bytes.count) / ExtentFormat.pageByteCount
    return frame
  }

  mutating func put(_ bytes: [UInt8], _ transaction: inout WriteTransaction) throws(StoreError) -> FrameReference {
    let span = bytes.span
    return try span.withUnsafeBytes { (raw) throws(StoreError) in try put(frame: raw, &transaction) }
  }

  // MARK: Blocks

  mutating func write(
    _ write: ColdBatch.Write, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> ColdCommit.WriteOutcome {
    let descriptor = write.frame.descriptor
    switch try stored(descriptor.key, transaction) {
    case .whole where !write.replacesDamaged:
      try tables.touchBlock(descriptor.key, lastUse: write.lastUse, &transaction)
      return .alreadyStored
    case .whole(let head):
      try tables.deleteFrame(head.frame, &transaction)
      var record = try record(of: write, &transaction)
      record.sessionCount = head.sessionCount
      record.lastUseMicroseconds = head.lastUseMicroseconds
      record.hitCount = Int(head.hitCount)
      try tables.putBlock(record, &transaction)
      return .stored
    case .unreadable:
      try insertAnew(write, &transaction)
      return .stored
    case .absent:
      guard try isParentStored(descriptor, transaction) else { return .orphaned }
      // A block that is deleted leaves its parent's list with its record: this one was lost, and sessions may hold it.
      if try tables.isListed(descriptor, transaction) {
        try insertAnew(write, &transaction)
      } else {
        try tables.insertBlock(try record(of: write, &transaction), &transaction)
      }
      return .stored
    }
  }

  /// Stores a block whose record was damaged or lost, with the count of the sessions that hold it.
  private mutating func insertAnew(
    _ write: ColdBatch.Write, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let key = write.frame.descriptor.key
    try removeAllRecency(of: key, &transaction)
    var record = try record(of: write, &transaction)
    record.sessionCount = try countSessions(holding: key, transaction)
    try tables.insertBlock(record, &transaction)
  }

  private enum Stored {
    case absent
    case whole(BlockHead)
    /// Its record is damaged: the session count is unknown.
    case unreadable
  }

  private func stored(_ key: BlockKey, _ transaction: borrowing WriteTransaction) throws(StoreError) -> Stored {
    do throws(StoreError) {
      return try tables.blockHead(key, transaction).map(Stored.whole) ?? .absent
    } catch  where error.code == .damaged {
      return .unreadable
    }
  }

  mutating func isParentStored(
    _ descriptor: BlockDescriptor, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> Bool {
    let space = descriptor.key.space
    guard let root = try root(of: space, transaction) else { return false }
    if descriptor.parent == root { return true }
    return try tables.holdsBlock(BlockKey(space: space, hash: descriptor.parent), transaction)
  }

  /// Puts the frame and describes the block.
  mutating func record(
    of write: ColdBatch.Write, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> BlockRecord {
    let descriptor = write.frame.descriptor
    let facts = try FrameFacts(write.frame.bytes)
    return BlockRecord(
      key: descriptor.key, parent: descriptor.parent, tokens: descriptor.tokens, encodedExtra: descriptor.encodedExtra,
      frame: try put(frame: write.frame.bytes, &transaction), frameChecksum: facts.checksum,
      payloadByteCount: write.frame.payloadByteCount, sessionCount: 0, lastUseMicroseconds: write.lastUse,
      codecUses: facts.codecUses)
  }

  /// How often sessions hold a block, counted in their block tables: for a record that lost its count.
  private func countSessions(
    holding key: BlockKey, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> UInt32 {
    var count: UInt32 = 0
    for (summary, inline) in try tables.allSessions(transaction) where summary.space == key.space {
      do throws(StoreError) {
        let body = try tables.sessionBody(summary, inline: inline, transaction)
        for hash in body.record.blocks where hash == key.hash { count += 1 }
      } catch {
        // A session that cannot be read counts for nothing.
        guard error.code == .damaged else { throw error }
      }
    }
    return count
  }

  /// For a record that lost its last use: its entry is found by looking at all.
  private func removeAllRecency(of key: BlockKey, _ transaction: inout WriteTransaction) throws(StoreError) {
    var found: [UInt64] = []
    try transaction.forEach(in: tables.recency) { (bytes, _) throws(StoreError) in
      if let entry = Keys.recency(of: bytes), entry.key == key { found.append(entry.lastUse) }
      return true
    }
    for lastUse in found { try tables.removeRecency(key, lastUse, &transaction) }
  }

  func touch(_ touch: ColdBatch.Touch, _ transaction: inout WriteTransaction) throws(StoreError) {
    do throws(StoreError) {
      try tables.touchBlock(touch.key, lastUse: touch.lastUse, hitCount: touch.hitCount, &transaction)
    } catch  where error.code == .damaged {
      // Found when it is loaded, and replaced then.
    }
  }
}

/// What a block's record takes from its frame's header.
struct FrameFacts {
  let checksum: UInt64
  let codecUses: [BlockRecord.CodecUse]

  init(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
    let header: FrameHeader
    do throws(FrameError) {
      header = try FrameHeader.parse(FramePieces([bytes]))
    } catch {
      throw .invalidArgument("a frame whose header cannot be read: \(error.message)")
    }
    self.init(header, bytes)
  }

  /// - Parameter bytes: begin with the header that was read.
  init(_ header: FrameHeader, _ bytes: UnsafeRawBufferPointer) {
    checksum = Self.checksum(of: header, in: bytes)
    var counts: [UInt16: UInt16] = [:]
    for plane in header.planes {
      counts[UInt16(plane.filter.rawValue) << 8 | UInt16(plane.compressor.rawValue), default: 0] += 1
    }
    codecUses = counts.sorted { $0.key < $1.key }.map {
      .init(filter: UInt8($0.key >> 8), compressor: UInt8($0.key & 0xff), planeCount: $0.value)
    }
  }

  /// A frame's header ends with its checksum, which covers those of all planes.
  static func checksum(of header: FrameHeader, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: header.headerByteCount - 8, as: UInt64.self))
  }
}
