import KVBlocks
import KVCodec
import SafeLMDB

/// What frames and bodies say of themselves: enough to make a lost record anew.
extension RepairRun {
  /// What is looked for in frames that nothing refers to.
  fileprivate struct Wanted {
    var blocks: Set<BlockKey>
    var sessions: Set<SessionKey>
    /// Takes sessions that no key names, too, and frames whose extents say that they are others: what they hold is
    /// checked in full.
    var isAnything = false

    var isEmpty: Bool { blocks.isEmpty && sessions.isEmpty && !isAnything }
  }

  /// Brings back blocks and sessions whose records are lost and whose frames or bodies are not. True where it did.
  mutating func restore(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> Bool {
    let before = report
    try moveSpaces(problems, audit, &transaction)
    try moveExtents(problems, &transaction)
    // Nothing in a space is known without its record, nor of a frame without its pieces.
    guard report == before else { return true }
    let lostSessions = Set(problems.compactMap(\.lostSession))
    for key in lostSessions { try restoreInline(key, &transaction) }
    var wanted = Wanted(blocks: try lostBlocks(problems, audit), sessions: lostSessions)
    try restore(wanted, problems, audit, &transaction)
    try moveSessions(problems, &transaction)
    try moveBlocks(problems, audit, &transaction)
    guard report == before else { return true }
    wanted.isAnything = true
    try restore(wanted, problems, audit, &transaction)
    return report != before
  }

  private mutating func restore(
    _ wanted: Wanted, _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>,
    _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    guard !wanted.isEmpty else { return }
    for case .orphanedExtent(let frame, 0) in problems { try restore(frame, wanted, audit, &transaction) }
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
    _ frame: UInt64, _ wanted: Wanted, _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    guard let reference = try tables.claimedFrame(frame, TransactionView(handle: handle)) else { return }
    do throws(StoreError) {
      if var record = try wholeBlock(in: reference, wanted.blocks, audit, transaction) {
        if !wanted.isAnything { try tables.verifyHeaders(of: reference, transaction) }
        if let head = try tables.readableHead(record.key, TransactionView(handle: handle)) {
          record.sessionCount = head.sessionCount
          record.lastUseMicroseconds = head.lastUseMicroseconds
        }
        try bringBack(record, &transaction)
      } else if let body = try tables.body(inFrame: reference, TransactionView(handle: handle)) {
        let key = SessionKey(space: body.record.space, name: body.record.name)
        var isWanted = wanted.sessions.contains(key)
        if !isWanted, wanted.isAnything { isWanted = try isMissed(key, reference, transaction) }
        if isWanted { try list(body, at: reference, key, &transaction) }
      }
    } catch  where error.code == .damaged {
      return
    }
  }

  /// Stores a block's record, and has its frame looked at again in the next round.
  mutating func bringBack(_ record: BlockRecord, _ transaction: inout WriteTransaction) throws(StoreError) {
    try tables.putBlock(record, &transaction)
    suspects.frames.append(.block(record.key))
    report.restoredBlockCount += 1
  }

  /// Whether a session was lost with its record. A deleted one leaves its body behind only where LMDB could not delete
  /// it safely.
  private func isMissed(
    _ key: SessionKey, _ body: FrameReference, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> Bool {
    guard (1...Keys.nameByteLimit).contains(key.name.utf8.count) else { return false }
    let name = try Keys.session(key.space, key.name)
    guard try !transaction.holds(name.span.bytes, in: tables.sessions) else { return false }
    for piece in 0..<ExtentFormat.pieceCount(of: body.byteCount) {
      let extent = Keys.extent(frame: body.id, piece: piece)
      guard try tables.isDeletionSafe(extent.span.bytes, transaction) else { return false }
    }
    return true
  }

  /// The record of the block in a frame, where it is one of those wanted and whole.
  func wholeBlock(
    in frame: FrameReference, _ wanted: Set<BlockKey>, _ audit: TableAudit<TransactionSource>,
    _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> BlockRecord? {
    let pieces: [UnsafeRawBufferPointer]
    do throws(StoreError) {
      pieces = try tables.pieces(of: frame, transaction)
    } catch  where error.code == .damaged {
      return nil
    }
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
    let view = TransactionView(handle: handle)
    let name = try Keys.session(key.space, key.name)
    guard let value = try view.read(name.span.bytes, in: tables.sessions), let body = Self.inlineBody(in: value),
      body.record.space == key.space, body.record.name == key.name
    else { return }
    try list(body, at: nil, key, &transaction)
  }

  /// The body that lies in a session's record, whatever became of the rest.
  static func inlineBody(in value: RawSpan) -> SessionBody? {
    guard value.byteCount > SessionFormat.bodyOffset else { return nil }
    do throws(StoreError) {
      return try SessionBody.decode(value.extracting(SessionFormat.bodyOffset..<value.byteCount))
    } catch {
      return nil
    }
  }

  mutating func list(
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
