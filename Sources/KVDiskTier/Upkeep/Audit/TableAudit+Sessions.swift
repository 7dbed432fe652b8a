import KVBlocks
import KVCodec
import SafeLMDB

/// The sessions' part: their records, bodies and block tables.
extension TableAudit {
  mutating func readSessions() throws(StoreError) {
    let tables = tables
    try source.scan(tables.sessions, limit: Self.sessionLimit, between: { () throws(StoreError) in try flush() }) {
      (view, bytes, value) throws(StoreError) in
      guard let place = Keys.session(of: bytes) else {
        // A session whose name is damaged: frames and blocks that look like nobody's may be its own.
        isEveryFrameKnown = false
        areAllSessionsReadable = false
        problems.append(.strayKey(.sessions, bytes.copied))
        return
      }
      let key = SessionKey(space: place.space, name: place.name)
      let owner = sessions.count
      sessions.append(key)
      do throws(StoreError) {
        let (summary, inline) = try SessionFormat.decode(value, space: key.space, name: key.name)
        if summary.body.id != 0 { claim(summary.body, .body, owner: owner) }
        if let checkpoint = summary.checkpoint { claim(checkpoint.frame, .checkpoint, owner: owner) }
        greatest.lastRevision = max(greatest.lastRevision, summary.revision)
        let body = try tables.sessionBody(summary, inline: inline, view)
        let space = try space(key.space, view) { true }
        if let message = Tables.difference(summary, body, root: space?.root) {
          problems.append(.sessionSummary(key, message))
        }
        read(body.record, key)
      } catch  where error.code == .damaged {
        isEveryFrameKnown = false
        areAllSessionsReadable = false
        problems.append(.sessionRecord(key, error.message))
      }
    }
  }

  /// Counts a session's blocks, and follows its chain.
  private mutating func read(_ record: SessionRecord, _ key: SessionKey) {
    var isWhole = spaces[key.space] != nil
    var parent = spaces[key.space]?.root
    var start = 0
    record.tokens.withUnsafeBytes { tokens in
      for hash in record.blocks {
        guard let position = index.position(of: hash, in: key.space) else {
          isWhole = false
          parent = hash
          continue
        }
        index.references[position] &+= 1
        let end = start + 4 * Int(index.tokenCounts[position])
        if index.flags[position].contains(.unreadable) || index.parentWords[position] != parent?.words.0
          || end > tokens.count
        {
          isWhole = false
        } else if isWhole,
          StoredChecksum.xxh3(UnsafeRawBufferPointer(rebasing: tokens[start..<end])) != index.tokenDigests[position]
        {
          isWhole = false
        }
        start = min(end, tokens.count)
        parent = hash
      }
      if start != tokens.count { isWhole = false }
    }
    if !isWhole { suspects.insert(key) }
  }
}
