import KVTiering

/// How a block that the store already has by identity (equal tokens, equal parents, equal space) is met by `append`.
public enum BlockSharing: Hashable, Sendable {
  /// Equal identity is equal: the stored block is shared, and its rows are not even asked for.
  case byIdentity
  /// The rows are compared: equal bytes are shared; others become a variant of their own, so that what comes out is
  /// what went in, byte for byte. For files whose origin nobody answers for.
  case byContent
}

extension Session {
  /// Appends tokens and their rows, block by block, straight into frames.
  ///
  /// `rows` is called for stretches of `tokens` in order, each inside one block, and fills every plane; for blocks that
  /// are shared `byIdentity` it is not called. RAM needed: one frame, however long the session.
  ///
  /// - Throws: what `rows` throws, as it is, or a `StoreError` (`poolExhausted`, `budgetTooSmall`, `quotaFull`,
  ///   `diskFull`, ...). The session then holds the tokens of the stretches that were completed: ``tokenCount`` says
  ///   how many.
  public func append(
    _ tokens: [Token], sharing: BlockSharing = .byIdentity, rows: (borrowing RowWriter) throws -> Void
  ) throws {
    var caught: (any Error)?
    try gate.enter { () throws(StoreError) in
      try space.store.checkWritable()
      // A full tail that an error kept from being sealed goes first.
      try sealFullTail()
      var done = 0
      while done < tokens.count {
        if sharing == .byIdentity, try shareBlock(tokens[done...]) {
          done += layout.blockTokenCount
          continue
        }
        do {
          done += try fill(tokens, from: done, sharing: sharing, rows: rows)
        } catch let error as StoreError {
          throw error
        } catch {
          caught = error
          return
        }
        try sealFullTail()
      }
    }
    if let caught { throw caught }
  }

  /// Takes the next block from the store where it is there by identity. Only at a block's start, and for a whole block.
  private func shareBlock(_ rest: ArraySlice<Token>) throws(StoreError) -> Bool {
    let blockTokenCount = layout.blockTokenCount
    guard rest.count >= blockTokenCount else { return false }
    let (parent, atBlockStart) = state.withLock {
      ($0.table.hashes.last ?? space.root, $0.tokens.count % blockTokenCount == 0)
    }
    guard atBlockStart else { return false }
    let block = BlockDescriptor(space: space.id, parent: parent, tokens: Array(rest.prefix(blockTokenCount)))
    pager.protect([block.key])
    do throws(StoreError) {
      guard try pager.isAvailable(block.key) else {
        pager.unprotect([block.key])
        return false
      }
    } catch {
      pager.unprotect([block.key])
      throw error
    }
    state.withLock {
      $0.tokens.append(contentsOf: block.tokens)
      $0.table.replaceTail(with: block.key.hash, tokenCount: blockTokenCount)
    }
    return true
  }

  /// Fills rows of the open tail up to the block's end or the tokens', whichever comes first. Returns the tokens taken.
  private func fill(
    _ tokens: [Token], from done: Int, sharing: BlockSharing, rows: (borrowing RowWriter) throws -> Void
  ) throws -> Int {
    let frame = try takeOpenTail()
    let filled = state.withLock { $0.tokens.count % layout.blockTokenCount }
    let taken = min(layout.blockTokenCount - filled, tokens.count - done)
    let writer = RowWriter(
      tokens: done..<done + taken, layout: layout, frame: frame.bytes, rows: filled..<filled + taken)
    do {
      try rows(writer)
    } catch {
      if filled > 0 { putBack(frame) }
      throw error
    }
    state.withLock {
      $0.tokens.append(contentsOf: tokens[done..<done + taken])
      if sharing == .byContent { $0.openSharing = .byContent }
    }
    putBack(frame)
    return taken
  }

  /// The open tail's frame out of the state, opened with the sealed tail's rows where there is none (copy on write).
  private func takeOpenTail() throws(StoreError) -> OpenFrame {
    if let frame = state.withLock({ $0.open.take() }) { return frame }
    let frame = try pager.openFrame(layout: layout)
    let (tail, rowCount) = state.withLock { ($0.table.hashes.last, $0.table.tailTokenCount) }
    if rowCount > 0, let tail {
      try copyRows(rowCount, of: BlockKey(space: space.id, hash: tail), into: frame.bytes)
    }
    state.withLock {
      $0.openSharing = rowCount > 0 ? $0.sharing(ofRowsIn: $0.table.blockCount - 1, space) : .byIdentity
    }
    return frame
  }

  private func putBack(_ frame: consuming OpenFrame) {
    var given: OpenFrame? = frame
    let replaced: BlockHash? = state.withLock { state in
      state.open = given.take()
      guard state.table.tailTokenCount > 0 else { return nil }
      let tail = state.table.hashes.last
      state.table.keepFullBlocks(state.table.fullBlockCount)
      return tail
    }
    if let replaced { pager.unprotect([BlockKey(space: space.id, hash: replaced)]) }
  }

  /// Copies the first rows of every plane of a block into a frame.
  func copyRows(
    _ rowCount: Int, of key: BlockKey, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) {
    for plane in layout.planes.indices {
      let target = UnsafeMutableRawBufferPointer(rebasing: frame[layout.byteRange(ofPlane: plane, rows: 0..<rowCount)])
      guard try pager.readPlane(key, layout: layout, plane: plane, rows: 0..<rowCount, into: target) else {
        guard let standIn = try tailStandIn(for: key) else { throw lost([key]) }
        return try copyRows(rowCount, of: standIn, into: frame)
      }
    }
  }

  func lost(_ keys: [BlockKey]) -> StoreError {
    StoreError(
      .blockLost,
      "session \"\(name)\": block \(keys.map(\.description).joined(separator: ", ")) is gone or damaged; "
        + "truncate the session before it and compute its tokens again")
  }
}
