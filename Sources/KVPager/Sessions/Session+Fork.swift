import KVTiering

extension Session {
  /// Begins another session with this one's first `tokenCount` tokens (all by default). Full blocks are shared, none is
  /// copied; a cut inside a block copies the rows before it. Metadata, origin and, for a whole fork, the checkpoint
  /// come along. The fork is in the store from its own ``commit()-5lufu`` on.
  /// - Throws: `alreadyExists`; `invalidArgument` for a cut where a checkpoint cannot be cut.
  public func fork(named name: String, tokenCount: Int? = nil) throws(StoreError) -> Session {
    let fork = try space.createSession(named: name)
    try gate.enter { () throws(StoreError) in
      try sealOpenTail()
      let all = state.withLock { $0.tokens }
      let count = tokenCount ?? all.count
      guard (0...all.count).contains(count) else {
        throw .invalidArgument("a fork after \(count) tokens of a session of \(all.count)")
      }
      if count < all.count, checkpointByteCount > 0 {
        throw .invalidArgument(
          "session \"\(self.name)\" has a checkpoint, which cannot be cut at a token; "
            + "fork it whole, or remove the checkpoint")
      }
      let hashes = state.withLock { $0.table.hashes }
      try fork.adopt(
        tokens: Array(all[..<count]), keys: keys(hashes), sharingTail: count == all.count)
      let checkpoint = count == all.count ? try checkpoint() : nil
      let (metadata, origin) = state.withLock { ($0.metadata, $0.origin) }
      fork.state.withLock {
        $0.metadata = metadata
        $0.origin = origin
      }
      if let checkpoint { fork.setCheckpoint(checkpoint) }
    }
    return fork
  }

  /// Cuts the session back to its first `tokenCount` tokens, in RAM; the next commit makes it so in the store.
  /// - Throws: `invalidArgument` for more tokens than there are, or where a checkpoint cannot be cut; `blockLost`.
  public func truncate(to tokenCount: Int) throws(StoreError) {
    try gate.enter { () throws(StoreError) in
      try space.store.checkWritable()
      try sealOpenTail()
      let (tokens, hashes) = state.withLock { ($0.tokens, $0.table.hashes) }
      guard (0...tokens.count).contains(tokenCount) else {
        throw .invalidArgument("a cut after \(tokenCount) tokens of a session of \(tokens.count)")
      }
      guard tokenCount < tokens.count else { return }
      if checkpointByteCount > 0 {
        throw .invalidArgument("session \"\(name)\" has a checkpoint, which cannot be cut at a token; remove it first")
      }
      try adopt(tokens: Array(tokens[..<tokenCount]), keys: keys(hashes))
      pager.unprotect(keys(hashes))
    }
  }

  /// Makes `tokens` this session's, their rows being those of `keys`: blocks wholly covered are shared, the rows of a
  /// further one are copied into an open tail, unless it is a tail of just these rows (`sharingTail`). Nothing changes
  /// where that fails.
  func adopt(
    tokens: [Token], keys: [BlockKey], sharingTail: Bool = false
  ) throws(StoreError) {
    let blockTokenCount = layout.blockTokenCount
    let fullBlockCount = tokens.count / blockTokenCount
    let rowCount = tokens.count % blockTokenCount
    let shared = Array(keys[..<(sharingTail ? keys.count : fullBlockCount)])
    pager.protect(shared)
    var tail: OpenFrame?
    do throws(StoreError) {
      if rowCount > 0, !sharingTail {
        let frame = try pager.openFrame(layout: layout)
        try copyRows(rowCount, of: keys[fullBlockCount], into: frame.bytes)
        tail = consume frame
      }
    } catch {
      pager.unprotect(shared)
      throw error
    }
    let sealedTokenCount = sharingTail ? tokens.count : fullBlockCount * blockTokenCount
    state.withLock { state in
      state.tokens = tokens
      state.table = BlockTable(
        blockTokenCount: blockTokenCount, hashes: shared.map(\.hash), tokenCount: sealedTokenCount)
      state.open = tail.take()
      // The rows stay the ones that they are, also where the store has others of the same tokens.
      state.openSharing = .byContent
    }
  }
}
