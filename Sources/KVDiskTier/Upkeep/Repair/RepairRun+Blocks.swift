import KVBlocks
import KVCodec
import SafeLMDB

/// Blocks and their links.
extension RepairRun {
  /// Takes a block's record away and those of the blocks that hang on it, unless a session holds them. Their frames and
  /// links are nobody's then, and go in the next round.
  mutating func drop(
    _ key: BlockKey, _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    // A space that cannot be used may come back from a copy. Who holds a block, an unreadable session does not say:
    // that one goes first.
    guard !audit.unusableSpaces.contains(key.space), audit.areAllSessionsReadable else { return }
    var open = [key]
    while let next = open.popLast() {
      if let position = audit.index.position(of: next), audit.index.references[position] > 0 { continue }
      guard try transaction.remove(Keys.block(next).span.bytes, in: tables.blocks) else { continue }
      dropped.insert(next)
      report.droppedBlockCount += 1
      for hash in try tables.childHashes(of: next, transaction) {
        let child = BlockKey(space: next.space, hash: hash)
        if try readable(child, transaction)?.head.parent == next.hash { open.append(child) }
      }
    }
  }

  /// Has a frame's extents say what they are.
  mutating func rewriteHeaders(
    of frame: FrameReference, _ pieces: [Int], _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    for piece in pieces {
      let key = Keys.extent(frame: frame.id, piece: piece)
      guard var bytes = try transaction.read(key.span.bytes, in: tables.extents)?.copied,
        try tables.deleteExtent(frame: frame.id, piece: piece, &transaction)
      else { continue }
      let count = ExtentFormat.pieceCount(of: frame.byteCount)
      ExtentFormat.writeHeader(piece: piece, of: count, frame: frame.id, into: &bytes)
      try transaction.write(key.span.bytes, bytes.span.bytes, in: tables.extents)
      report.rewrittenExtentCount += 1
    }
  }

  /// Writes a block's count, or one entry of `children` or `recency`.
  mutating func setLink(_ problem: AuditProblem, _ transaction: inout WriteTransaction) throws(StoreError) {
    switch problem {
    case .sessionCount(let key, _, let held):
      // Its record may be gone since the audit, in this very round.
      guard let stored = try readable(key, transaction) else { return }
      var bytes = stored.bytes
      let recency = Keys.recency(lastUse: stored.head.lastUseMicroseconds, key)
      BlockFormat.update(&bytes, sessionCount: held, lastUse: stored.head.lastUseMicroseconds)
      try transaction.write(Keys.block(key).span.bytes, bytes.span.bytes, in: tables.blocks)
      if held == 0 {
        try transaction.write(recency.span.bytes, RawSpan(), in: tables.recency)
      } else {
        try transaction.remove(recency.span.bytes, in: tables.recency)
      }
      report.correctedCountCount += 1
    case .missingLink(let link, let key):
      guard let head = try readable(key, transaction)?.head else { return }
      switch link {
      case .child:
        let child = Keys.child(of: BlockKey(space: key.space, hash: head.parent), hash: key.hash)
        try transaction.write(child.span.bytes, RawSpan(), in: tables.children)
      case .recency:
        guard head.sessionCount == 0 else { return }
        let recency = Keys.recency(lastUse: head.lastUseMicroseconds, key)
        try transaction.write(recency.span.bytes, RawSpan(), in: tables.recency)
      }
      report.correctedLinkCount += 1
    case .strayChild(let parent, let hash):
      if try transaction.remove(Keys.child(of: parent, hash: hash).span.bytes, in: tables.children) {
        report.correctedLinkCount += 1
      }
    case .strayRecency(let lastUse, let key):
      // A count that was set right meanwhile may have made it the true one.
      if let head = try readable(key, transaction)?.head, head.sessionCount == 0, head.lastUseMicroseconds == lastUse {
        return
      }
      if try transaction.remove(Keys.recency(lastUse: lastUse, key).span.bytes, in: tables.recency) {
        report.correctedLinkCount += 1
      }
    default: return
    }
  }

  private func readable(
    _ key: BlockKey, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> (bytes: [UInt8], head: BlockHead)? {
    do throws(StoreError) {
      return try tables.blockBytes(key, transaction)
    } catch  where error.code == .damaged {
      return nil
    }
  }
}
