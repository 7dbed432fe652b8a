import KVBlocks
import KVCodec
import SafeLMDB

/// A block of another store's, its frame taken over as it was.
package struct AdoptedBlock {
  package var frame: EncodedFrame
  package var lastUse: UInt64
  /// Sessions that hold it, all of which are to follow.
  package var sessionCount: UInt32

  package init(frame: EncodedFrame, lastUse: UInt64, sessionCount: UInt32) {
    self.frame = frame
    self.lastUse = lastUse
    self.sessionCount = sessionCount
  }
}

/// A session of another store's, taken over as it was.
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
  /// Takes spaces over under their own ids, which frames carry.
  /// - Throws: `alreadyExists` where an id or a fingerprint is another space's, `invalidArgument` for an id that no
  ///   store gives; then none was taken over.
  package func adopt(spaces: [SpaceRecord]) throws(StoreError) {
    guard !options.isReadOnly else { throw .readOnlyStore }
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var damage: StoreError?
      let known = try tables.allSpaces(transaction) { damage = $2 }
      if let damage { throw damage }
      var ids = Set(known.map(\.id))
      var identities = Set(known.map { $0.fingerprint.canonicalBytes(layout: $0.layout) })
      var counters = try tables.counters(transaction)
      for space in spaces {
        guard (1..<UInt32.max).contains(space.id.rawValue) else { throw .invalidArgument("a space of id \(space.id)") }
        let identity = space.fingerprint.canonicalBytes(layout: space.layout)
        guard ids.insert(space.id).inserted, identities.insert(identity).inserted else {
          throw StoreError(.alreadyExists, "cache space \(space.id) is there already: adopt into an empty store")
        }
        counters.nextSpace = max(counters.nextSpace, space.id.rawValue + 1)
        try transaction.write(Keys.space(space.id), SpaceFormat.encode(space), in: tables.spaces)
      }
      try transaction.write(StoreCounters.key, counters.encoded(), in: tables.meta)
    }
  }

  /// Takes blocks over in one transaction, parents before their children, with the counts of sessions that do not exist
  /// yet: the store is whole again when ``adopt(sessions:)`` has brought them all.
  package func adopt(blocks: [AdoptedBlock]) throws(StoreError) {
    guard !options.isReadOnly else { throw .readOnlyStore }
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      var run = try CommitRun(tables: tables, nowMicroseconds: StoreClock.microseconds(), transaction)
      for block in blocks { try run.adopt(block, &transaction) }
      try run.finish(&transaction)
    }
  }

  /// Takes sessions over in one transaction, whose blocks were taken over already and count them.
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
  fileprivate mutating func adopt(_ block: AdoptedBlock, _ transaction: inout WriteTransaction) throws(StoreError) {
    let descriptor = block.frame.descriptor
    guard try !tables.holdsBlock(descriptor.key, transaction), try isParentStored(descriptor, transaction) else {
      throw .invalidArgument("block \(descriptor.key) is stored already, or its parent is not")
    }
    var record = try record(of: ColdBatch.Write(frame: block.frame, lastUse: block.lastUse), &transaction)
    record.sessionCount = block.sessionCount
    try tables.insertBlock(record, &transaction)
  }

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
