import KVBlocks
import KVCodec
import SafeLMDB

// The list of invariants that are checked here stands in DiskTier.swift.

/// Holds a store to the invariants that `DiskTier` names.
extension DiskTier {
  /// Everything that is wrong with the tables; where `deep`, with every frame read, decoded and identified too.
  ///
  /// Reads in short transactions, so that a store in use neither waits nor grows. What looks wrong is looked at again,
  /// by itself and in one snapshot, before it counts.
  /// - Parameters:
  ///   - findingLimit: findings of one kind that are kept; all are counted.
  ///   - progress: called on this thread, again and again.
  package func audit(
    deep: Bool, findingLimit: Int, progress: @escaping (AuditProgress) -> Void = { _ in }
  ) throws(StoreError) -> AuditReport {
    let tables = tables
    let meter = try environment.read { (transaction) throws(StoreError) in
      try AuditMeter(tables, transaction, deep: deep, report: progress)
    }
    let list = FindingList(limit: findingLimit)
    let source = SnapshotSource(self, meter: meter)
    func confirm(_ problems: [AuditProblem]) throws(StoreError) {
      guard !problems.isEmpty else { return }
      list.add(try source.look { (view) throws(StoreError) in try tables.confirmed(problems, view) })
    }
    var audit = TableAudit(tables: tables, source: source, report: confirm)
    try audit.run()
    if deep {
      try auditFrames(of: &audit, meter, list)
    }
    try auditSessions(of: audit, source, list)
    var report = list.report()
    report.blockCount = audit.index.count
    report.sessionCount = audit.sessions.count
    report.frameCount = audit.claims.count
    report.isOneSnapshot = source.isOneSnapshot
    return report
  }

  /// Everything that is wrong, in full.
  package func audit(deep: Bool) throws(StoreError) -> [Finding] {
    try audit(deep: deep, findingLimit: .max).findings
  }

  private func auditFrames(
    of audit: inout TableAudit<SnapshotSource>, _ meter: AuditMeter, _ list: FindingList
  ) throws(StoreError) {
    audit.claims.sort { $0.offset < $1.offset }
    let frames = FrameAudit(
      self, claims: audit.claims, index: audit.index, sessions: audit.sessions, spaces: audit.spaces)
    var doneByteCount = 0
    try frames.run { (byteCount, problems) in
      meter.note(frameByteCount: byteCount - doneByteCount)
      doneByteCount = byteCount
      list.add(problems)
    }
  }

  /// Names the sessions that lost blocks, and up to where each is whole.
  private func auditSessions(
    of audit: TableAudit<SnapshotSource>, _ source: SnapshotSource, _ list: FindingList
  ) throws(StoreError) {
    let (broken, suspects) = (list.broken, audit.suspects)
    guard !broken.isEmpty || !suspects.isEmpty else { return }
    var problems: [AuditProblem] = []
    try source.scan(
      tables.sessions, limit: TableAudit<SnapshotSource>.sessionLimit,
      between: { () throws(StoreError) in
        list.add(problems)
        problems = []
      }
    ) { (view, bytes, value) throws(StoreError) in
      guard let place = Keys.session(of: bytes) else { return }
      let key = SessionKey(space: place.space, name: place.name)
      var isHurt = suspects.contains(key)
      if !broken.isEmpty {
        for block in try tables.blockTable(of: key, value, view) where broken.contains(block) {
          list.note(holder: key, of: block)
          isHurt = true
        }
      }
      guard isHurt else { return }
      if let problem = try tables.chainProblem(key, view, isBroken: { broken.contains($0) }) {
        problems.append(problem)
      }
    }
  }

  /// For tests and debugging: stops where the tables break the list in DiskTier.swift.
  package func assertInvariants() throws(StoreError) {
    let findings = try audit(deep: false)
    precondition(findings.isEmpty, "the store breaks its invariants: \(findings)")
  }
}

extension Tables {
  /// A session's blocks; none where it cannot be read.
  func blockTable(
    of key: SessionKey, _ value: RawSpan, _ view: borrowing TransactionView
  ) throws(StoreError) -> [BlockKey] {
    do throws(StoreError) {
      let (summary, inline) = try SessionFormat.decode(value, space: key.space, name: key.name)
      return try sessionBody(summary, inline: inline, view).record.blocks.map { BlockKey(space: key.space, hash: $0) }
    } catch  where error.code == .damaged {
      return []
    }
  }
}
