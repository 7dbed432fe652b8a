import KVDiskTier
import KVTiering

extension CacheSpace {
  /// Stores the rows of a token list as cache, without a session: later look-ups find them while the quota lets them
  /// stay. They are durable after the store's `writeBack()` or the next batch that is written.
  ///
  /// - Parameters:
  ///   - tokens: from the root on.
  ///   - sharing: how blocks that are stored already are met.
  ///   - rows: fills rows as `Session.append`'s does; not called for shared blocks.
  /// - Throws: as `append`. Blocks completed before an error stay.
  public func insert(
    _ tokens: [Token], sharing: BlockSharing = .byIdentity, rows: (borrowing RowWriter) throws -> Void
  ) throws {
    // A session that is never committed: its blocks are cache from the moment that it goes.
    let passing = Session(space: self, name: "")
    try passing.append(tokens, sharing: sharing, rows: rows)
    try passing.gate.enter { () throws(StoreError) in try passing.sealOpenTail() }
  }

  /// The committed session with a checkpoint whose tokens all stand at the beginning of `tokens`; of several the
  /// longest, nil for none.
  ///
  /// A state that cannot be cut at a token (sliding windows, recurrent) is resumed from such a session or not at all.
  public func longestCheckpoint(within tokens: [Token]) throws(StoreError) -> String? {
    try store.checkUsable()
    let candidates = try store.disk.sessionSummaries()
      .filter { $0.space == id && $0.checkpoint != nil && $0.tokenCount <= tokens.count && $0.tokenCount > 0 }
      .sorted { $0.tokenCount > $1.tokenCount }
    for candidate in candidates {
      do throws(StoreError) {
        guard let record = try store.disk.session(space: id, name: candidate.name) else { continue }
        if record.checkpointByteCount > 0, tokens.starts(with: record.tokens) { return candidate.name }
      } catch  where error.code == .damaged {
        // One session's damage is no answer about the others.
        continue
      }
    }
    return nil
  }
}
