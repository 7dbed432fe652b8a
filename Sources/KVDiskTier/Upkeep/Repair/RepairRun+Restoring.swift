import KVBlocks
import KVCodec
import SafeLMDB

/// What frames and bodies say of themselves: enough to make a lost record anew.
extension RepairRun {
  /// Brings back blocks and sessions whose records are lost and whose frames or bodies are not. True where it did.
  mutating func restore(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> Bool {
    let lostSessions = Set(problems.compactMap(\.lostSession))
    let before = report
    for key in lostSessions { try restoreInline(key, &transaction) }
    let wanted = try lostBlocks(problems, audit)
    guard !wanted.isEmpty || !lostSessions.isEmpty else { return report != before }
    for case .orphanedExtent(let frame, 0) in problems {
      try restore(frame, wanted, lostSessions, audit, &transaction)
    }
    return report != before
  }

  /// Blocks that somebody needs and that cannot be read: those of sessions, parents of others, damaged records.
  private func lostBlocks(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>
  ) throws(StoreError) -> Set<BlockKey> {
    var lost: Set<BlockKey> = []
    let view = TransactionView(handle: handle)
    for problem in problems {
      switch problem {
      // What is not its own frame, or no longer one, may have a whole one elsewhere.
      case .blockRecord(let key, _), .sharedFrame(.block(let key), _, _), .incompleteFrame(.block(let key), _, _),
        .damagedFrame(.block(let key), _, _):
        lost.insert(key)
      case .orphanedBlock(let key):
        if let parent = try tables.readableHead(key, view)?.parent {
          lost.insert(BlockKey(space: key.space, hash: parent))
        }
      default: continue
      }
    }
    for key in audit.suspects {
      let name = try Keys.session(key.space, key.name)
      guard let value = try view.read(name.span.bytes, in: tables.sessions) else { continue }
      for block in try tables.blockTable(of: key, value, view) where try tables.readableHead(block, view) == nil {
        lost.insert(block)
      }
    }
    return lost.subtracting(dropped)
  }

  private mutating func restore(
    _ frame: UInt64, _ wanted: Set<BlockKey>, _ sessions: Set<SessionKey>, _ audit: TableAudit<TransactionSource>,
    _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    guard let reference = try whole(frame, TransactionView(handle: handle)) else { return }
    do throws(StoreError) {
      if var record = try block(in: reference, wanted, audit, transaction) {
        if let head = try tables.readableHead(record.key, TransactionView(handle: handle)) {
          record.sessionCount = head.sessionCount
          record.lastUseMicroseconds = head.lastUseMicroseconds
        }
        try tables.putBlock(record, &transaction)
        report.restoredBlockCount += 1
      } else if !sessions.isEmpty {
        let body = try SessionBody.decode(try tables.joined(reference, transaction))
        let key = SessionKey(space: body.record.space, name: body.record.name)
        guard sessions.contains(key) else { return }
        try list(body, at: reference, key, &transaction)
      }
    } catch  where error.code == .damaged {
      return
    }
  }

  private func whole(_ frame: UInt64, _ view: borrowing TransactionView) throws(StoreError) -> FrameReference? {
    let extent = Keys.extent(frame: frame, piece: 0)
    guard let value = try view.read(extent.span.bytes, in: tables.extents) else { return nil }
    return Self.wholeByteCount(value).map { FrameReference(id: frame, byteCount: $0) }
  }

  /// How many bytes a frame or a session's body claims to have, from its first extent; nil for anything else.
  private static func wholeByteCount(_ extent: RawSpan) -> Int? {
    let start = ExtentFormat.headerByteCount
    guard ExtentFormat.header(of: extent)?.piece == 0, extent.byteCount >= start + 24 else { return nil }
    let claimed = Int(
      exactly: UInt64(littleEndian: extent.unsafeLoadUnaligned(fromByteOffset: start + 16, as: UInt64.self)))
    // Both kinds have their size at offset 16.
    guard let claimed, claimed > 0, claimed <= ExtentFormat.byteCountLimit else { return nil }
    return claimed
  }

  /// The record of the block in a frame, where it is one of those wanted and whole.
  private func block(
    in frame: FrameReference, _ wanted: Set<BlockKey>, _ audit: TableAudit<TransactionSource>,
    _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> BlockRecord? {
    let pieces = try tables.pieces(of: frame, transaction)
    try tables.verifyHeaders(of: frame, transaction)
    let header: FrameHeader
    do throws(FrameError) { header = try FrameHeader.parse(FramePieces(pieces)) } catch { return nil }
    guard header.kind == .block, wanted.contains(header.key), let space = audit.spaces[header.key.space],
      ChainHash.hash(parent: header.parent, tokens: header.tokens, encodedExtra: header.encodedExtra)
        == header.key.hash
    else { return nil }
    let facts = FrameFacts(header, pieces)
    let expected = FrameExpectation(
      key: header.key, parentWord: header.parent.words.0,
      tokenDigest: header.tokens.withUnsafeBytes { StoredChecksum.xxh3($0) }, frameByteCount: frame.byteCount,
      checksum: facts.checksum)
    let isWhole = codecs.withDecoder { decoder in
      do throws(FrameError) {
        try decoder.verify(FramePieces(pieces), layout: space.layout, expecting: expected)
        return true
      } catch {
        return false
      }
    }
    guard isWhole else { return nil }
    return BlockRecord(
      key: header.key, parent: header.parent, tokens: header.tokens, encodedExtra: header.encodedExtra, frame: frame,
      frameChecksum: facts.checksum, payloadByteCount: space.layout.payloadByteCount(tokenCount: header.tokens.count),
      sessionCount: 0, lastUseMicroseconds: 1, codecUses: facts.codecUses)
  }

  /// A short session's body lies in its record, with a checksum of its own.
  private mutating func restoreInline(_ key: SessionKey, _ transaction: inout WriteTransaction) throws(StoreError) {
    guard let body = try inlineBody(of: key, TransactionView(handle: handle)), body.record.space == key.space,
      body.record.name == key.name
    else { return }
    try list(body, at: nil, key, &transaction)
  }

  private func inlineBody(
    of key: SessionKey, _ view: borrowing TransactionView
  ) throws(StoreError) -> SessionBody? {
    let name = try Keys.session(key.space, key.name)
    guard let value = try view.read(name.span.bytes, in: tables.sessions), value.byteCount > SessionFormat.bodyOffset
    else { return nil }
    do throws(StoreError) {
      return try SessionBody.decode(value.extracting(SessionFormat.bodyOffset..<value.byteCount))
    } catch {
      return nil
    }
  }

  private mutating func list(
    _ body: SessionBody, at place: FrameReference?, _ key: SessionKey, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let bytes = try body.encoded()
    let summary = SessionSummary(body, place: place ?? FrameReference(id: 0, byteCount: bytes.count))
    try transaction.write(
      try Keys.session(key.space, key.name), SessionFormat.encode(summary, inlineBody: place == nil ? bytes : nil),
      in: tables.sessions)
    report.restoredSessionCount += 1
  }
}

extension AuditProblem {
  /// A session whose record or body cannot be read.
  fileprivate var lostSession: SessionKey? {
    if case .sessionRecord(let key, _) = self { return key }
    return nil
  }
}

extension FrameFacts {
  /// - Parameter pieces: begin with the header that was read.
  init(_ header: FrameHeader, _ pieces: [UnsafeRawBufferPointer]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(header.headerByteCount)
    for piece in pieces where bytes.count < header.headerByteCount {
      bytes.append(contentsOf: piece.prefix(header.headerByteCount - bytes.count))
    }
    self = bytes.withUnsafeBytes { FrameFacts(header, $0) }
  }
}
