import KVBlocks
import SafeLMDB

/// Sessions: what of them can be kept, and how.
extension RepairRun {
  /// A session's record that cannot be read: nothing of it is left to lose.
  mutating func dropRecord(of key: SessionKey, _ transaction: inout WriteTransaction) throws(StoreError) {
    if try transaction.remove(try Keys.session(key.space, key.name), in: tables.sessions) {
      report.droppedSessions.append(key.name)
    }
  }

  /// Lists a session as what its body says.
  mutating func rewrite(
    _ key: SessionKey, _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    guard let root = audit.spaces[key.space]?.root else { return }
    try change(key, &transaction) { body in body.root = root }
    report.rewrittenSessionCount += 1
  }

  /// A checkpoint that cannot be read. Its session's blocks stay.
  mutating func dropCheckpoint(of key: SessionKey, _ transaction: inout WriteTransaction) throws(StoreError) {
    guard cutsSessions else { return }
    try change(key, &transaction) { body in Self.removeCheckpoint(from: &body) }
    report.droppedCheckpoints.append(key.name)
  }

  private static func removeCheckpoint(from body: inout SessionBody) {
    body.checkpoint = nil
    body.checkpointIdentifier = SessionBody.noIdentifier
    body.record.checkpointByteCount = 0
  }

  /// Cuts every session back to its longest whole prefix.
  mutating func cutSessions(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let broken = Set(problems.compactMap(\.brokenBlock))
    guard !broken.isEmpty || !audit.suspects.isEmpty else { return }
    for key in audit.sessions where !audit.unusableSpaces.contains(key.space) {
      let view = TransactionView(handle: handle)
      var isHurt = audit.suspects.contains(key)
      if !isHurt { isHurt = try holds(key, anyOf: broken, view) }
      guard isHurt,
        case .sessionBlocks(_, let count, _, _)? = try tables.chainProblem(
          key, view, isBroken: { broken.contains($0) })
      else { continue }
      try cut(key, after: count, &transaction)
    }
  }

  private func holds(
    _ key: SessionKey, anyOf broken: Set<BlockKey>, _ view: borrowing TransactionView
  ) throws(StoreError) -> Bool {
    guard !broken.isEmpty else { return false }
    let name = try Keys.session(key.space, key.name)
    guard let value = try view.read(name.span.bytes, in: tables.sessions) else { return false }
    return try tables.blockTable(of: key, value, view).contains { broken.contains($0) }
  }

  private mutating func cut(
    _ key: SessionKey, after tokenCount: Int, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let blockCount = try wholeBlockCount(key, tokenCount, transaction)
    var oldTokenCount = 0
    try change(key, &transaction) { body in
      oldTokenCount = body.record.tokens.count
      body.record.tokens.removeSubrange(tokenCount...)
      body.record.blocks.removeSubrange(blockCount...)
      Self.removeCheckpoint(from: &body)
    }
    report.cuts.append(
      .init(space: key.space, name: key.name, oldTokenCount: oldTokenCount, newTokenCount: tokenCount))
  }

  /// How many of a session's blocks make its first `tokenCount` tokens, which are whole.
  private func wholeBlockCount(
    _ key: SessionKey, _ tokenCount: Int, _ transaction: borrowing WriteTransaction
  ) throws(StoreError) -> Int {
    guard let (summary, inline) = try tables.sessionSummary(key.space, key.name, transaction) else { return 0 }
    let blocks = try tables.sessionBody(summary, inline: inline, transaction).record.blocks
    var (count, start) = (0, 0)
    while start < tokenCount, count < blocks.count {
      start += try tables.blockHead(BlockKey(space: key.space, hash: blocks[count]), transaction)?.tokenCount ?? 0
      count += 1
    }
    return count
  }

  /// Stores a session with another body, as a commit would: a writer that resumed the old one is told of the conflict.
  private mutating func change(
    _ key: SessionKey, _ transaction: inout WriteTransaction, _ body: (inout SessionBody) -> Void
  ) throws(StoreError) {
    guard let (summary, inline) = try tables.sessionSummary(key.space, key.name, transaction) else { return }
    var changed = try tables.sessionBody(summary, inline: inline, transaction)
    body(&changed)
    var run = try CommitRun(tables: tables, nowMicroseconds: StoreClock.microseconds(), transaction)
    changed.record.revision = run.counters.takeRevision()
    try run.store(changed, replacing: summary, &transaction)
    try run.finish(&transaction)
  }
}
