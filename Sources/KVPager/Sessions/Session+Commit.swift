import KVTiering

extension Session {
  /// Makes the session survive: returns when its blocks and its record are in a synced transaction.
  ///
  /// Sessions that commit at the same time share one transaction. A commit that changes nothing still writes the
  /// record.
  /// - Throws: `conflict` where another process committed the name since, `alreadyExists` for a new session whose name
  ///   was taken meanwhile, `quotaFull`, `diskFull`, `blockLost`. The session stays as it was and may be committed
  ///   again.
  public func commit() throws(StoreError) {
    try gate.enter { () throws(StoreError) in try commitLocked() }
  }

  private func commitLocked() throws(StoreError) {
    try space.store.checkWritable()
    try sealOpenTail()
    let (record, checkpoint, revision, changeCount) = state.withLock {
      ($0.record(space: space.id), $0.checkpoint, $0.revision, $0.checkpointChangeCount)
    }
    let started = ContinuousClock.now
    let operation = SessionOperation.put(
      record, checkpoint: checkpoint, condition: revision.map { .revision($0) } ?? .absent)
    let committed: UInt64
    do throws(StoreError) {
      committed = try commit(operation, of: record)
    } catch {
      guard error.code == .blockLost, try rebuildTail() else { throw error }
      committed = try commit(operation, of: record)
    }
    state.withLock {
      $0.revision = committed
      if $0.checkpointChangeCount == changeCount { $0.checkpoint = .keep }
      $0.updatedMicroseconds = WallClock.nowMicroseconds()
    }
    space.store.instruments.committed(after: ContinuousClock.now - started)
  }

  private func commit(_ operation: SessionOperation, of record: SessionRecord) throws(StoreError) -> UInt64 {
    try pager.commit(
      operation, requiring: keys(record.blocks), describing: { record.descriptor(of: $0, in: self.space) })
  }

  /// Makes the tail anew from a longer block that another process put in its place. False where there is none.
  private func rebuildTail() throws(StoreError) -> Bool {
    let (tail, tokens, parent) = state.withLock { state in
      let index = state.table.blockCount - 1
      return (
        state.table.hashes.last, Array(state.tokens.suffix(state.table.tailTokenCount)),
        index > 0 ? state.table.hashes[index - 1] : space.root
      )
    }
    guard let tail, let standIn = try tailStandIn(for: BlockKey(space: space.id, hash: tail)) else { return false }
    let frame = try pager.openFrame(layout: layout)
    try copyRows(tokens.count, of: standIn, into: frame.bytes)
    _ = try pager.seal(frame, as: BlockDescriptor(space: space.id, parent: parent, tokens: tokens), layout: layout)
    return true
  }

  /// Gives the session an opaque engine state that cannot be cut at a token (recurrent, sliding-window), or takes it
  /// away with nil. Stored with the next commit.
  public func setCheckpoint(_ bytes: [UInt8]?) {
    state.withLock {
      $0.checkpointChangeCount += 1
      $0.checkpoint = bytes.map { .replace($0) } ?? .remove
      $0.checkpointByteCount = bytes?.count ?? 0
    }
  }

  /// The checkpoint, nil for none.
  /// - Throws: `conflict` where the session was committed by somebody else since it was resumed: what is stored now
  ///   belongs to other tokens; `notFound` where it was deleted.
  public func checkpoint() throws(StoreError) -> [UInt8]? {
    try space.store.checkUsable()
    do throws(StoreError) {
      return try readCheckpoint()
    } catch {
      guard error.code == .conflict || error.code == .notFound, !gate.isMine else { throw error }
      // Perhaps a commit or a new name of this very session was under way.
      return try gate.enter { () throws(StoreError) in try readCheckpoint() }
    }
  }

  private func readCheckpoint() throws(StoreError) -> [UInt8]? {
    let (change, byteCount, revision, name) = state.withLock {
      ($0.checkpoint, $0.checkpointByteCount, $0.revision, $0.name)
    }
    switch change {
    case .replace(let bytes): return bytes
    case .remove: return nil
    case .keep:
      guard byteCount > 0, let revision else { return nil }
      return try space.store.disk.checkpoint(space: space.id, name: name, revision: revision)
    }
  }

  /// Bytes of the checkpoint, 0 for none.
  public var checkpointByteCount: Int { state.withLock { $0.checkpointByteCount } }

  /// Gives the session another name, in the store too where it was committed.
  /// - Throws: `alreadyExists`, `notFound` where it was deleted meanwhile.
  public func rename(to name: String) throws(StoreError) {
    try Self.validate(name: name)
    try gate.enter { () throws(StoreError) in
      try space.store.checkWritable()
      let (old, isCommitted) = state.withLock { ($0.name, $0.revision != nil) }
      guard name != old else { return }
      if isCommitted {
        let revision = try pager.commit(.rename(space: space.id, from: old, to: name), requiring: [])
        state.withLock { if revision > 0 { $0.revision = revision } }
      } else if try space.store.disk.session(space: space.id, name: name) != nil {
        throw StoreError(.alreadyExists, "a session \"\(name)\" exists; choose another name")
      }
      state.withLock { $0.name = name }
    }
  }
}

extension SessionRecord {
  /// What a block of the session was computed from: the pager asks where another process deleted a block that is in RAM
  /// here, to write it again. Nil for a variant, whose extra keys the record does not hold.
  fileprivate func descriptor(of key: BlockKey, in space: CacheSpace) -> BlockDescriptor? {
    guard let index = blocks.firstIndex(of: key.hash) else { return nil }
    let blockTokenCount = space.layout.blockTokenCount
    let block = BlockDescriptor(
      space: key.space, parent: index == 0 ? space.root : blocks[index - 1],
      tokens: Array(tokens[index * blockTokenCount..<min((index + 1) * blockTokenCount, tokens.count)]))
    return block.key == key ? block : nil
  }
}

extension SessionState {
  /// The record of what is sealed. - Precondition: no open tail.
  func record(space: SpaceID) -> SessionRecord {
    precondition(open == nil, "an open tail is sealed before the record is written")
    return SessionRecord(
      space: space, name: name, revision: revision ?? 0, createdMicroseconds: createdMicroseconds,
      updatedMicroseconds: updatedMicroseconds, expiresMicroseconds: expiresMicroseconds, tokens: tokens,
      blocks: table.hashes, metadata: metadata, origin: origin, checkpointByteCount: checkpointByteCount)
  }
}
