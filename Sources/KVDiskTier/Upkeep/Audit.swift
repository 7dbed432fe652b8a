import KVBlocks
import KVCodec
import SafeLMDB

// The list of invariants that are checked here stands in DiskTier.swift.

/// Holds a store to the invariants that `DiskTier` names.
extension DiskTier {
  /// Everything that is wrong with the tables, in one snapshot; where `deep`, with every frame read, decoded and
  /// identified too, each in a snapshot of its own.
  package func audit(deep: Bool) throws(StoreError) -> [Finding] {
    var (findings, keys, sessions) = try environment.read { (transaction) throws(StoreError) in
      var audit = TableAudit(tables: tables)
      try audit.run(transaction)
      return (audit.findings, audit.blockKeys, audit.checkpointedSessions)
    }
    guard deep else { return findings }
    for key in keys { if let finding = try auditFrame(of: key) { findings.append(finding) } }
    for session in sessions {
      do throws(StoreError) {
        _ = try checkpoint(space: session.space, name: session.name)
      } catch  where error.code == .damaged {
        findings.append(Finding(.checkpoint, session: session.name, error.message))
      } catch  where error.code == .notFound {
        continue
      }
    }
    return findings
  }

  /// For tests and debugging: stops where the tables break the list in DiskTier.swift.
  package func assertInvariants() throws(StoreError) {
    let findings = try audit(deep: false)
    precondition(findings.isEmpty, "the store breaks its invariants: \(findings)")
  }

  /// Reads one block's frame whole. Nil: sound, or deleted meanwhile.
  package func auditFrame(of key: BlockKey) throws(StoreError) -> Finding? {
    guard let space = try space(key.space) else { return nil }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: space.layout.frameByteCount, alignment: 64)
    defer { buffer.deallocate() }
    return try codecs.withDecoder { (decoder) throws(StoreError) in
      try environment.read { (transaction) throws(StoreError) in
        let record: BlockRecord
        let pieces: [UnsafeRawBufferPointer]
        do throws(StoreError) {
          guard let stored = try tables.blockRecord(key, transaction) else { return nil }
          record = stored
          pieces = try tables.pieces(of: record.frame, transaction)
          transaction.readAhead(pieces)
          try tables.verifyHeaders(of: record.frame, transaction)
        } catch  where error.code == .damaged {
          return Finding(.frame, block: key, error.message)
        }
        do throws(FrameError) {
          let header = try FrameHeader.parse(FramePieces(pieces))
          if let difference = Self.difference(record, header) { return Finding(.identity, block: key, difference) }
          _ = try decoder.decode(FramePieces(pieces), layout: space.layout, expecting: key, into: buffer)
          return nil
        } catch {
          return Finding(.frame, block: key, error.message)
        }
      }
    }
  }

  private static func difference(_ record: BlockRecord, _ header: FrameHeader) -> String? {
    if header.key != record.key { return "its frame is that of block \(header.key)" }
    if header.parent != record.parent { return "its frame names another parent" }
    if header.tokens != record.tokens { return "its frame names other tokens" }
    if header.encodedExtra != record.encodedExtra { return "its frame names other extra keys" }
    if header.frameByteCount != record.frame.byteCount { return "its frame has \(header.frameByteCount) bytes" }
    return nil
  }
}
