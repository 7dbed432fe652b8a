import KVBlocks
import KVCodec
import SafeLMDB

/// What another store held, taken over as it was: for salvage and for copies.
package struct AdoptedSession {
  /// The session as it is to be, with its times. It gets a revision of this store's own.
  package var record: SessionRecord
  /// Its checkpoint's frame, stored as it is; nil for none.
  package var checkpoint: Checkpoint?

  package struct Checkpoint {
    package var frame: UnsafeRawBufferPointer
    /// SHA-256 of the checkpoint's bytes.
    package var identifier: BlockHash
    /// Bytes of the engine's state, before the codec.
    package var byteCount: Int

    package init(frame: UnsafeRawBufferPointer, identifier: BlockHash, byteCount: Int) {
      self.frame = frame
      self.identifier = identifier
      self.byteCount = byteCount
    }
  }

  package init(record: SessionRecord, checkpoint: Checkpoint?) {
    self.record = record
    self.checkpoint = checkpoint
  }
}

extension DiskTier {
  /// Takes a space over under its own id, which frames carry.
  /// - Throws: `alreadyExists` where the id or the fingerprint is another space's, `invalidArgument` for an id that no
  ///   store gives.
  package func adopt(space: SpaceRecord) throws(StoreError) {
    guard !options.isReadOnly else { throw .readOnlyStore }
    guard (1..<UInt32.max).contains(space.id.rawValue) else { throw .invalidArgument("a space of id \(space.id)") }
    let identity = space.fingerprint.canonicalBytes(layout: space.layout)
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      for known in try tables.allSpaces(transaction) {
        guard known.id != space.id, known.fingerprint.canonicalBytes(layout: known.layout) != identity else {
          throw StoreError(.alreadyExists, "cache space \(known.id) is there already: adopt into an empty store")
        }
      }
      var counters = try tables.counters(transaction)
      counters.nextSpace = max(counters.nextSpace, space.id.rawValue + 1)
      try transaction.write(Keys.space(space.id), SpaceFormat.encode(space), in: tables.spaces)
      try transaction.write(StoreCounters.key, counters.encoded(), in: tables.meta)
    }
  }

  /// Takes sessions over in one transaction, whose blocks are stored already.
  package func adopt(sessions: [AdoptedSession]) throws(StoreError) {
    guard !options.isReadOnly else { throw .readOnlyStore }
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var run = try CommitRun(tables: tables, nowMicroseconds: StoreClock.microseconds(), transaction)
      for session in sessions { try run.adopt(session, &transaction) }
      try run.finish(&transaction)
    }
  }
}

extension CommitRun {
  fileprivate mutating func adopt(
    _ session: AdoptedSession, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    var record = session.record
    let key = try Keys.session(record.space, record.name)
    guard try !transaction.holds(key.span.bytes, in: tables.sessions) else { throw .sessionExists(record.name) }
    guard let root = try root(of: record.space, transaction) else {
      throw StoreError(.notFound, "session \"\(record.name)\" belongs to space \(record.space), which does not exist")
    }
    let missing = try missingBlocks(of: record, from: 0, root: root, transaction)
    guard missing.isEmpty else {
      throw StoreError(.blockLost, "session \"\(record.name)\" lacks \(missing.count) of its blocks")
    }
    for hash in record.blocks { try changeCount(record.space, hash, 1, &transaction) }
    record.revision = counters.takeRevision()
    record.checkpointByteCount = session.checkpoint?.byteCount ?? 0
    var body = SessionBody(
      record: record, root: root, checkpoint: nil, checkpointIdentifier: SessionBody.noIdentifier)
    if let checkpoint = session.checkpoint {
      body.checkpoint = .init(
        frame: try put(frame: checkpoint.frame, &transaction), byteCount: checkpoint.byteCount)
      body.checkpointIdentifier = checkpoint.identifier
    }
    try store(body, replacing: nil, &transaction)
  }
}
