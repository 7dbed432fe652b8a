import KVBlocks
import KVCodec
import SafeLMDB

/// Sessions and block records, for the façade and the inspector.
extension DiskTier {
  /// All sessions whole, by space and name.
  package func sessions() throws(StoreError) -> [SessionRecord] {
    try environment.read { (transaction) throws(StoreError) in
      var records: [SessionRecord] = []
      for (summary, inline) in try tables.allSessions(transaction) {
        records.append(try tables.sessionBody(summary, inline: inline, transaction).record)
      }
      return records
    }
  }

  /// All sessions without their tokens, block tables and metadata, by space and name.
  package func sessionSummaries() throws(StoreError) -> [SessionSummary] {
    try environment.read { (transaction) throws(StoreError) in try tables.allSessions(transaction).map(\.summary) }
  }

  /// Nil where there is no such session.
  package func session(space: SpaceID, name: String) throws(StoreError) -> SessionRecord? {
    try environment.read { (transaction) throws(StoreError) in
      guard let (summary, inline) = try tables.sessionSummary(space, name, transaction) else { return nil }
      return try tables.sessionBody(summary, inline: inline, transaction).record
    }
  }

  /// The session's opaque engine state; nil where it has none.
  ///
  /// - Parameter revision: of the record that the caller read; nil for whichever is stored now.
  /// - Throws: `notFound` where there is no such session; `conflict` where it has another revision.
  package func checkpoint(space: SpaceID, name: String, revision: UInt64? = nil) throws(StoreError) -> [UInt8]? {
    try codecs.withDecoder { (decoder) throws(StoreError) in
      try environment.read { (transaction) throws(StoreError) in
        guard let (summary, inline) = try tables.sessionSummary(space, name, transaction) else {
          throw StoreError(.notFound, "there is no session \"\(name)\"")
        }
        guard revision == nil || summary.revision == revision else {
          throw StoreError(
            .conflict, "session \"\(name)\" was changed meanwhile, and its checkpoint with it: resume it anew")
        }
        guard let checkpoint = summary.checkpoint else { return nil }
        let body = try tables.sessionBody(summary, inline: inline, transaction)
        let pieces = try tables.pieces(of: checkpoint.frame, transaction)
        transaction.readAhead(pieces)
        let identifier = BlockKey(space: space, hash: body.checkpointIdentifier)
        do throws(FrameError) {
          return try decoder.decodeBlob(
            FramePieces(pieces), expecting: identifier,
            byteCountLimit: min(checkpoint.byteCount, BlockLayout.frameByteCountLimit))
        } catch {
          throw StoreError(.damaged, "the checkpoint of session \"\(name)\" is damaged: \(error.message)")
        }
      }
    }
  }

  /// Nil where the block is not stored. - Throws: `damaged` where its record is.
  package func record(of key: BlockKey) throws(StoreError) -> BlockRecord? {
    try environment.read { (transaction) throws(StoreError) in try tables.blockRecord(key, transaction) }
  }

  /// Up to `limit` blocks of a space in the order of their hashes, from the first after `last` on. Damaged records are
  /// left out.
  package func records(
    in space: SpaceID, after last: BlockHash? = nil, limit: Int = 1024
  ) throws(StoreError) -> [BlockRecord] {
    try environment.read { (transaction) throws(StoreError) in
      var records: [BlockRecord] = []
      let start = Keys.block(BlockKey(space: space, hash: last ?? SessionBody.noIdentifier))
      try transaction.forEach(in: tables.blocks, from: start.span.bytes) { (bytes, value) throws(StoreError) in
        guard let key = Keys.block(of: bytes), key.space == space, records.count < limit else { return false }
        if key.hash == last { return true }
        do throws(StoreError) {
          records.append(try BlockFormat.decode(value, key: key))
        } catch  where error.code == .damaged {
          return true
        }
        return true
      }
      return records
    }
  }
}
