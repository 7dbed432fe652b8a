import KVBlocks
import KVCodec
import SafeLMDB

/// A session operation with its checkpoint encoded already: the codec works before the write transaction begins.
struct PreparedOperation {
  /// An encoded checkpoint and what identifies it.
  struct Checkpoint {
    let frame: UnsafeRawBufferPointer
    let identifier: BlockHash
    let byteCount: Int
  }

  let operation: SessionOperation
  let checkpoint: Checkpoint?
}

/// Session operations in a commit. Each is checked in full before its first write.
extension CommitRun {
  /// What becomes of one operation; throws only what ends the whole batch.
  mutating func perform(
    _ prepared: PreparedOperation, _ transaction: inout WriteTransaction, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit.OperationOutcome {
    switch prepared.operation {
    case .put(let record, let change, let condition):
      return try put(record, change, prepared.checkpoint, condition, &transaction, isProtected)
    case .rename(let space, let from, let to):
      return try rename(space, from, to, &transaction)
    case .delete(let space, let name):
      return try delete(space, name, &transaction)
    }
  }

  private struct Existing {
    var summary: SessionSummary
    var body: SessionBody
  }

  private func existing(
    _ space: SpaceID, _ name: String, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> Existing? {
    guard let (summary, inline) = try tables.sessionSummary(space, name, transaction) else { return nil }
    return Existing(summary: summary, body: try tables.sessionBody(summary, inline: inline, transaction))
  }

  // MARK: Put

  private mutating func put(
    _ record: SessionRecord, _ change: SessionOperation.CheckpointChange, _ checkpoint: PreparedOperation.Checkpoint?,
    _ condition: SessionOperation.Condition, _ transaction: inout WriteTransaction,
    _ isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit.OperationOutcome {
    let old: Existing?
    let root: BlockHash
    let kept: Int
    do throws(StoreError) {
      old = try existing(record.space, record.name, transaction)
      try Self.require(condition, old?.summary, name: record.name)
      guard let known = try self.root(of: record.space, transaction) else {
        throw StoreError(.notFound, "session \"\(record.name)\" belongs to space \(record.space), which does not exist")
      }
      root = known
      kept = Self.commonPrefixCount(old?.body.record.blocks ?? [], record.blocks)
      let missing = try missingBlocks(of: record, from: kept, root: root, transaction)
      guard missing.isEmpty else { return .missingBlocks(missing) }
      try Self.requireEncodable(record, root: root)
    } catch {
      return .failed(error)
    }
    let oldBlocks = old?.body.record.blocks ?? []
    for hash in record.blocks[kept...] { try changeCount(record.space, hash, 1, &transaction) }
    for hash in oldBlocks[kept...] { try changeCount(record.space, hash, -1, &transaction) }
    if kept == oldBlocks.count - 1, kept < record.blocks.count {
      try deleteReplacedTail(oldBlocks[kept], by: record.blocks[kept], record.space, &transaction, isProtected)
    }

    var body = SessionBody(
      record: record, root: root, checkpoint: old?.summary.checkpoint,
      checkpointIdentifier: old?.body.checkpointIdentifier ?? SessionBody.noIdentifier)
    try apply(change, checkpoint, to: &body, &transaction)
    body.record.revision = counters.takeRevision()
    body.record.updatedMicroseconds = nowMicroseconds
    if record.createdMicroseconds == 0 {
      body.record.createdMicroseconds = old?.summary.createdMicroseconds ?? nowMicroseconds
    }
    try store(body, replacing: old?.summary, &transaction)
    return .done(revision: body.record.revision)
  }

  private static func require(
    _ condition: SessionOperation.Condition, _ summary: SessionSummary?, name: String
  ) throws(StoreError) {
    switch (condition, summary) {
    case (.absent, nil): return
    case (.absent, _): throw .sessionExists(name)
    case (.revision, nil): throw .noSession(name)
    case (.revision(let wanted), let summary?):
      guard summary.revision == wanted else {
        throw StoreError(
          .conflict,
          "session \"\(name)\" was changed by another process meanwhile: resume it anew, or fork and commit the fork")
      }
    }
  }

  private static func requireEncodable(_ record: SessionRecord, root: BlockHash) throws(StoreError) {
    _ = try Keys.session(record.space, record.name)
    let body = SessionBody(
      record: record, root: root, checkpoint: nil, checkpointIdentifier: SessionBody.noIdentifier)
    _ = try body.encoded()
  }

  private static func commonPrefixCount(_ a: [BlockHash], _ b: [BlockHash]) -> Int {
    var count = 0
    while count < a.count, count < b.count, a[count] == b[count] { count += 1 }
    return count
  }

  /// Blocks of a session's table from position `start` on that are not stored, or not readably.
  /// - Throws: `invalidArgument` where a block does not follow the one before it.
  func missingBlocks(
    of record: SessionRecord, from start: Int, root: BlockHash, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> [BlockHash] {
    var missing: [BlockHash] = []
    for index in start..<record.blocks.count {
      let hash = record.blocks[index]
      let parent = index == 0 ? root : record.blocks[index - 1]
      do throws(StoreError) {
        guard let head = try tables.blockHead(BlockKey(space: record.space, hash: hash), transaction) else {
          missing.append(hash)
          continue
        }
        guard head.parent == parent else {
          throw .invalidArgument("session \"\(record.name)\": block \(index) does not follow the block before it")
        }
      } catch  where error.code == .damaged {
        missing.append(hash)
      }
    }
    return missing
  }

  private func changeCount(
    _ space: SpaceID, _ hash: BlockHash, _ change: Int, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    do throws(StoreError) {
      try tables.changeSessionCount(of: BlockKey(space: space, hash: hash), by: change, &transaction)
    } catch  where error.code == .damaged {
      // Counted anew when the damaged record is replaced.
    }
  }

  private mutating func apply(
    _ change: SessionOperation.CheckpointChange, _ checkpoint: PreparedOperation.Checkpoint?,
    to body: inout SessionBody,
    _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    if case .keep = change {
      body.record.checkpointByteCount = body.checkpoint?.byteCount ?? 0
      return
    }
    if let old = body.checkpoint { try tables.deleteFrame(old.frame, &transaction) }
    if let checkpoint {
      let frame = try put(frame: checkpoint.frame, &transaction)
      body.checkpoint = .init(frame: frame, byteCount: checkpoint.byteCount)
      body.checkpointIdentifier = checkpoint.identifier
    } else {
      body.checkpoint = nil
      body.checkpointIdentifier = SessionBody.noIdentifier
    }
    body.record.checkpointByteCount = body.checkpoint?.byteCount ?? 0
  }

  /// Writes a session's record, its body inside or apart, and deletes the body that it replaces.
  mutating func store(
    _ body: SessionBody, replacing old: SessionSummary?, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    if let old, old.body.id != 0 { try tables.deleteFrame(old.body, &transaction) }
    let bytes = try body.encoded()
    let isInline = bytes.count <= SessionFormat.inlineByteLimit
    var place = FrameReference(id: 0, byteCount: bytes.count)
    if !isInline {
      place = try put(bytes, &transaction)
    }
    try transaction.write(
      try Keys.session(body.record.space, body.record.name),
      SessionFormat.encode(SessionSummary(body, place: place), inlineBody: isInline ? bytes : nil),
      in: tables.sessions)
  }

  // MARK: Rename and delete

  private mutating func rename(
    _ space: SpaceID, _ from: String, _ to: String, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> ColdCommit.OperationOutcome {
    var body: SessionBody
    let old: SessionSummary
    do throws(StoreError) {
      guard let found = try existing(space, from, transaction) else { throw .noSession(from) }
      old = found.summary
      body = found.body
      let key = try Keys.session(space, to)
      guard try !transaction.holds(key.span.bytes, in: tables.sessions) else {
        throw .sessionExists(to)
      }
    } catch {
      return .failed(error)
    }
    body.record.name = to
    try transaction.remove(try Keys.session(space, from), in: tables.sessions)
    try store(body, replacing: old, &transaction)
    return .done(revision: 0)
  }

  mutating func delete(
    _ space: SpaceID, _ name: String, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> ColdCommit.OperationOutcome {
    let old: Existing
    do throws(StoreError) {
      guard let found = try existing(space, name, transaction) else { throw .noSession(name) }
      old = found
    } catch {
      return .failed(error)
    }
    for hash in old.body.record.blocks.reversed() { try changeCount(space, hash, -1, &transaction) }
    if let checkpoint = old.summary.checkpoint { try tables.deleteFrame(checkpoint.frame, &transaction) }
    if old.summary.body.id != 0 { try tables.deleteFrame(old.summary.body, &transaction) }
    try transaction.remove(try Keys.session(space, name), in: tables.sessions)
    return .done(revision: 0)
  }
}

extension StoreError {
  static func sessionExists(_ name: String) -> StoreError {
    StoreError(.alreadyExists, "a session \"\(name)\" exists: choose another name, or delete it first")
  }

  static func noSession(_ name: String) -> StoreError {
    StoreError(.notFound, "there is no session \"\(name)\"")
  }
}
