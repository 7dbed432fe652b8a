import KVBlocks
import KVCodec
import SafeLMDB

// Invariants:
// - Lives inside one write transaction: what an audit found there is so until this run changes it.
// - Each step sets right what one problem names and nothing beside it; what follows from it, the next round finds.
// - A block that a session holds is never dropped, nor a session cut, unless `cutsSessions`.
// - What hangs on nothing goes, and sessions are cut, only in rounds that change nothing else.

/// Sets right what audits of one write transaction find, round by round, until a round finds nothing that it may
/// change.
struct RepairRun {
  let tables: Tables
  let handle: TransactionHandle
  /// Frames to be read again.
  var suspects: RepairSuspects
  let cutsSessions: Bool
  let codecs: CodecPool
  var report = RepairReport()
  /// Blocks that this run dropped: their frames, nobody's now, do not bring them back.
  var dropped: Set<BlockKey> = []

  /// Chains of consequences are short: a cut session, its counts, its blocks, their extents. Each link that is wrong
  /// may make them longer.
  static let roundLimit = 256

  mutating func run(_ transaction: inout WriteTransaction) throws(StoreError) {
    for _ in 0..<Self.roundLimit {
      let before = report
      try round(&transaction)
      if report == before { return }
    }
  }

  private mutating func round(_ transaction: inout WriteTransaction) throws(StoreError) {
    let problems = ProblemBox()
    var audit = TableAudit(tables: tables, source: TransactionSource(handle: handle)) { problems.list += $0 }
    audit.reportsEveryOrphan = true
    try audit.run()
    // Of two that claim one frame, this tells which is wrong.
    problems.list = try tables.confirmed(problems.list, TransactionView(handle: handle))
    problems.list += try brokenFrames(audit)
    try setCounters(problems.list, audit, &transaction)
    // A block that comes back is not dropped, nor its sessions cut.
    if try restore(problems.list, audit, &transaction) { return }
    // What is set right may be what hid a frame: nothing is given up for lost while anything else changes.
    let before = report
    for problem in problems.list where !problem.isOrphan { try setRight(problem, audit, &transaction) }
    guard report == before else { return }
    for problem in problems.list where problem.isOrphan { try setRight(problem, audit, &transaction) }
    guard report == before, cutsSessions else { return }
    try cutSessions(problems.list, audit, &transaction)
  }

  /// Reads the frames that an audit found damaged again, as they are now.
  private func brokenFrames(_ audit: TableAudit<TransactionSource>) throws(StoreError) -> [AuditProblem] {
    let reading = FrameReading(tables: tables, spaces: audit.spaces)
    let view = TransactionView(handle: handle)
    return try codecs.withDecoder { (decoder) throws(StoreError) in
      var problems: [AuditProblem] = []
      for owner in suspects.frames {
        guard let found = try reading.frame(of: owner, view) else { continue }
        if let problem = try reading.problem(of: found, nil, view, &decoder) { problems.append(problem) }
      }
      return problems
    }
  }

  /// Numbers are given by these: they come first.
  private mutating func setCounters(
    _ problems: [AuditProblem], _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    let isWrong = problems.contains {
      switch $0 {
      case .counters, .counter: true
      default: false
      }
    }
    guard isWrong else { return }
    let last = try transaction.withLast(in: tables.extents) { (key, _) throws(StoreError) in
      Keys.extent(of: key)?.frame ?? 0
    }
    let old = audit.counters ?? StoreCounters()
    let greatest = audit.greatest
    let nextFrame = max(old.nextFrame, max(greatest.nextFrame, last ?? 0) + 1)
    guard nextFrame <= ExtentFormat.frameIDLimit, greatest.nextSpace < UInt32.max else { return }
    let counters = StoreCounters(
      nextSpace: max(old.nextSpace, greatest.nextSpace + 1), nextFrame: nextFrame,
      lastRevision: max(old.lastRevision, greatest.lastRevision))
    try transaction.write(StoreCounters.key, counters.encoded(), in: tables.meta)
    report.correctedCounters = true
  }

  private mutating func setRight(
    _ problem: AuditProblem, _ audit: TableAudit<TransactionSource>, _ transaction: inout WriteTransaction
  ) throws(StoreError) {
    switch problem {
    case .counters, .counter, .space, .sessionBlocks: return
    case .strayKey(let table, let key):
      // Every 8 bytes are a key of an extent.
      guard table != .extents else { return }
      if try transaction.remove(key, in: tables.table(table)) { report.deletedEntryCount += 1 }
    case .extentHeaders(_, let frame, let pieces): try rewriteHeaders(of: frame, pieces, &transaction)
    case .pageHeader: return
    case .blockRecord, .blockHash, .blockShape, .sharedFrame, .incompleteFrame, .damagedFrame:
      if let key = problem.brokenBlock {
        try drop(key, audit, &transaction)
      } else if let session = problem.brokenCheckpoint {
        try dropCheckpoint(of: session, &transaction)
      }
    case .orphanedBlock(let key): try drop(key, audit, &transaction)
    case .sessionCount, .missingLink, .strayChild, .strayRecency: try setLink(problem, &transaction)
    case .orphanedExtent(let frame, let piece):
      guard audit.isEveryFrameKnown, try !isOfUnusableSpace(frame, audit) else { return }
      if try tables.deleteExtent(frame: frame, piece: piece, &transaction) { report.deletedExtentCount += 1 }
    case .sessionRecord(let key, _): try dropRecord(of: key, &transaction)
    case .sessionSummary(let key, _): try rewrite(key, audit, &transaction)
    }
  }
}

extension RepairRun {
  /// A space that cannot be used may come back from a copy: so may what its frames hold.
  private func isOfUnusableSpace(
    _ frame: UInt64, _ audit: TableAudit<TransactionSource>
  ) throws(StoreError) -> Bool {
    guard !audit.unusableSpaces.isEmpty else { return false }
    return try tables.content(ofFrame: frame, TransactionView(handle: handle))
      .map { audit.unusableSpaces.contains($0.space) } ?? false
  }
}

/// Problems on their way out of an audit.
final class ProblemBox {
  var list: [AuditProblem] = []
}

extension AuditProblem {
  /// What hangs on nothing, as far as is known.
  var isOrphan: Bool {
    switch self {
    case .orphanedBlock, .orphanedExtent: true
    default: false
    }
  }

  /// The session whose checkpoint is lost.
  var brokenCheckpoint: SessionKey? {
    switch self {
    case .incompleteFrame(.checkpoint(let key), _, _), .damagedFrame(.checkpoint(let key), _, _): key
    default: nil
    }
  }
}
