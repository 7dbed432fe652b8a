import KVBlocks
import KVCodec
import SafeLMDB

/// Records that are whole and lie under keys that are not theirs: what they hold says which are. Where the right key
/// holds something that can be read, that is meant, and the other is left to what is wrong with it.
extension RepairRun {
  // MARK: Sessions

  /// A session's body names its space and itself.
  mutating func moveSessions(
    _ problems: [AuditProblem], _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    for problem in problems {
      switch problem {
      case .sessionRecord(let key, _): try moveSession(from: try Keys.session(key.space, key.name), &transaction)
      case .strayKey(.sessions, let key): try moveSession(from: key, &transaction)
      default: continue
      }
    }
  }

  private mutating func moveSession(
    from key: [UInt8], _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let view = TransactionView(handle: handle)
    guard let value = try view.read(key.span.bytes, in: tables.sessions)?.copied,
      let (body, place) = try storedBody(in: value, view),
      (1...Keys.nameByteLimit).contains(body.record.name.utf8.count)
    else { return }
    let owner = SessionKey(space: body.record.space, name: body.record.name)
    guard try Keys.session(owner.space, owner.name) != key, try !tables.isReadable(owner, view) else { return }
    try transaction.remove(key, in: tables.sessions)
    try list(body, at: place, owner, &transaction)
  }

  /// A session's body by what is left of its record, and where it lies if not in it.
  private func storedBody(
    in value: [UInt8], _ view: borrowing TransactionView
  ) throws(StoreError) -> (SessionBody, FrameReference?)? {
    do throws(StoreError) {
      let nowhere = SpaceID(rawValue: 0)
      let (summary, inline) = try SessionFormat.decode(value.span.bytes, space: nowhere, name: "")
      if let inline { return (try SessionBody.decode(inline), nil) }
      return (try SessionBody.decode(try tables.joined(summary.body, view)), summary.body)
    } catch  where error.code == .damaged {
      return Self.inlineBody(in: value.span.bytes).map { ($0, nil) }
    }
  }

  // MARK: Blocks

  /// A block's record says all that its hash is made of, and its frame names its space too.
  mutating func moveBlocks(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    for key in Set(problems.compactMap(\.brokenBlock)) { try moveBlock(from: key, audit, &transaction) }
  }

  private mutating func moveBlock(
    from key: BlockKey, _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let view = TransactionView(handle: handle)
    guard let found = try tables.readableRecord(key, view), let owner = try tables.blockNamed(in: found.frame, view),
      owner != key, owner.hash == found.ownHash, !dropped.contains(owner),
      try tables.readableHead(owner, view) == nil,
      var record = try wholeBlock(in: found.frame, [owner], audit, transaction)
    else { return }
    record.sessionCount = found.sessionCount
    record.lastUseMicroseconds = found.lastUseMicroseconds
    record.hitCount = found.hitCount
    try transaction.remove(Keys.block(key).span.bytes, in: tables.blocks)
    try bringBack(record, &transaction)
  }

  // MARK: Extents

  /// An extent's header says which piece of which frame it is: a frame that lacks that piece gets it back.
  mutating func moveExtents(
    _ problems: [AuditProblem], _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    var incomplete: [UInt64: FrameReference] = [:]
    for case .incompleteFrame(_, let frame, _) in problems where frame.diskByteCount > 0 {
      incomplete[frame.id] = frame
    }
    guard !incomplete.isEmpty else { return }
    for case .orphanedExtent(let frame, let piece) in problems {
      let view = TransactionView(handle: handle)
      guard let own = try tables.ownPlace(ofExtent: frame, piece, view), let owner = incomplete[own.frame],
        own.pieceCount == ExtentFormat.pieceCount(of: owner.byteCount), own.piece < own.pieceCount,
        let value = try view.read(Keys.extent(frame: frame, piece: piece).span.bytes, in: tables.extents)?.copied,
        try tables.deleteExtent(frame: frame, piece: piece, &transaction)
      else { continue }
      let key = Keys.extent(frame: own.frame, piece: own.piece)
      try transaction.write(key.span.bytes, value.span.bytes, in: tables.extents)
      report.restoredExtentCount += 1
    }
  }

  // MARK: Spaces

  /// A space's root is a digest of all that its record says, and the first blocks of its prompts follow it.
  mutating func moveSpaces(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let view = TransactionView(handle: handle)
    for case .space(let id, _) in problems {
      let key = Keys.space(id)
      guard try !view.holds(key.span.bytes, in: tables.spaces) else { continue }
      let unused = audit.spaces.values.filter { space in
        // A root that comes from a seed tells nothing: other spaces have it too.
        space.fingerprint.vllmSeed == nil && !space.fingerprint.isPlaceholder && audit.index.isEmpty(space.id)
          && !audit.sessions.contains { $0.space == space.id }
      }
      for space in unused {
        let root = BlockKey(space: id, hash: space.root)
        guard try !tables.childHashes(of: root, limit: 1, transaction).isEmpty else { continue }
        try transaction.remove(Keys.space(space.id), in: tables.spaces)
        try transaction.write(key, SpaceFormat.encode(space.with(id: id)), in: tables.spaces)
        report.restoredSpaceCount += 1
        // What else is wrong with spaces is looked at anew.
        return
      }
    }
  }
}

extension Tables {
  /// Whether a session is listed and its body is whole.
  func isReadable(_ key: SessionKey, _ view: borrowing TransactionView) throws(StoreError) -> Bool {
    do throws(StoreError) {
      guard let (summary, inline) = try sessionSummary(key.space, key.name, view) else { return false }
      _ = try sessionBody(summary, inline: inline, view)
      return true
    } catch  where error.code == .damaged {
      return false
    }
  }

  fileprivate func readableRecord(
    _ key: BlockKey, _ view: borrowing TransactionView
  ) throws(StoreError) -> BlockRecord? {
    do throws(StoreError) {
      return try blockRecord(key, view)
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// The block that a frame's header names; nil where there is none, or it cannot be read.
  func blockNamed(in frame: FrameReference, _ view: borrowing TransactionView) throws(StoreError) -> BlockKey? {
    do throws(StoreError) {
      let header = try frameHeader(of: frame, view)
      return header.kind == .block ? header.key : nil
    } catch  where error.code == .damaged {
      return nil
    }
  }
}

extension BlockRecord {
  /// The hash of what the record says, whatever its key is.
  fileprivate var ownHash: BlockHash { ChainHash.hash(parent: parent, tokens: tokens, encodedExtra: encodedExtra) }
}
