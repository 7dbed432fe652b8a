import KVBlocks
import SafeLMDB

/// A second look at what seemed wrong, all of it in one snapshot: what another process was just changing is no problem.
extension Tables {
  func confirmed(
    _ problems: [AuditProblem], _ view: borrowing TransactionView
  ) throws(StoreError) -> [AuditProblem] {
    var confirmed: [AuditProblem] = []
    var counts: [BlockKey: UInt32] = [:]
    var orphans: [(frame: UInt64, piece: Int)] = []
    for problem in problems {
      switch problem {
      case .sessionCount(let key, _, _): counts[key] = 0
      case .orphanedExtent(let frame, let piece): orphans.append((frame, piece))
      default: if let found = try again(problem, view) { confirmed.append(found) }
      }
    }
    if !counts.isEmpty { confirmed += try countedAnew(&counts, view) }
    if !orphans.isEmpty { confirmed += try stillOrphaned(orphans, view) }
    return confirmed
  }

  private func again(
    _ problem: AuditProblem, _ view: borrowing TransactionView
  ) throws(StoreError) -> AuditProblem? {
    switch problem {
    case .counters, .counter: try counterAgain(problem, view)
    case .space(let id, _): try spaceAgain(id, view)
    case .strayKey(let table, let key): try view.holds(key.span.bytes, in: self.table(table)) ? problem : nil
    case .blockRecord(let key, _), .blockHash(let key), .blockShape(let key, _): try blockAgain(key, view)
    case .orphanedBlock, .missingLink, .strayChild, .strayRecency: try linkAgain(problem, view)
    case .sharedFrame(let owner, let other, let frame):
      try sharedAgain(owner, other, frame, view)
    case .incompleteFrame(let owner, let frame, _): try frameAgain(owner, frame, view)
    case .sessionRecord(let key, _), .sessionSummary(let key, _): try sessionAgain(key, view)
    // Seen in one snapshot from the first, or by those who ask for them.
    case .damagedFrame, .extentHeaders, .pageHeader, .sessionBlocks, .sessionCount, .orphanedExtent: problem
    }
  }

  func table(_ table: AuditProblem.KeyedTable) -> Table {
    switch table {
    case .spaces: spaces
    case .blocks: blocks
    case .children: children
    case .recency: recency
    case .extents: extents
    case .sessions: sessions
    }
  }

  private func counterAgain(
    _ problem: AuditProblem, _ view: borrowing TransactionView
  ) throws(StoreError) -> AuditProblem? {
    let now: StoreCounters
    do throws(StoreError) {
      now = try counters(view)
    } catch  where error.code == .damaged {
      return .counters(error.message)
    }
    guard case .counter(let counter, let value) = problem else { return nil }
    let isGiven =
      switch counter {
      case .frame: value < now.nextFrame
      case .space: value < UInt64(now.nextSpace)
      case .revision: value <= now.lastRevision
      }
    return isGiven ? nil : problem
  }

  private func spaceAgain(_ id: SpaceID, _ view: borrowing TransactionView) throws(StoreError) -> AuditProblem? {
    let key = Keys.space(id)
    // None is ever deleted.
    guard let value = try view.read(key.span.bytes, in: spaces) else { return .space(id, Self.missingSpace) }
    return try Self.spaceProblem(value, id: id)
  }

  private func blockAgain(_ key: BlockKey, _ view: borrowing TransactionView) throws(StoreError) -> AuditProblem? {
    guard let value = try view.read(Keys.block(key).span.bytes, in: blocks) else { return nil }
    return try Self.examine(value, key, space: try readableSpace(key.space, view)).2
  }

  /// Nil where there is none, or it cannot be read.
  func readableSpace(_ id: SpaceID, _ view: borrowing TransactionView) throws(StoreError) -> SpaceRecord? {
    do throws(StoreError) {
      return try space(id, view)
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// Nil where there is none, or it cannot be read.
  func readableHead(_ key: BlockKey, _ view: borrowing TransactionView) throws(StoreError) -> BlockHead? {
    do throws(StoreError) {
      return try blockHead(key, view)
    } catch  where error.code == .damaged {
      return nil
    }
  }

  private func linkAgain(
    _ problem: AuditProblem, _ view: borrowing TransactionView
  ) throws(StoreError) -> AuditProblem? {
    switch problem {
    case .orphanedBlock(let key):
      guard let head = try readableHead(key, view), let root = try readableSpace(key.space, view)?.root,
        head.parent != root
      else { return nil }
      return try holdsBlock(BlockKey(space: key.space, hash: head.parent), view) ? nil : problem
    case .missingLink(.child, let key):
      guard let head = try readableHead(key, view) else { return nil }
      let parent = BlockKey(space: key.space, hash: head.parent)
      return try view.holds(Keys.child(of: parent, hash: key.hash).span.bytes, in: children) ? nil : problem
    case .missingLink(.recency, let key):
      guard let head = try readableHead(key, view), head.sessionCount == 0 else { return nil }
      let entry = Keys.recency(lastUse: head.lastUseMicroseconds, key)
      return try view.holds(entry.span.bytes, in: recency) ? nil : problem
    case .strayChild(let parent, let hash):
      guard try view.holds(Keys.child(of: parent, hash: hash).span.bytes, in: children) else { return nil }
      let key = BlockKey(space: parent.space, hash: hash)
      guard let head = try readableHead(key, view) else { return try holdsBlock(key, view) ? nil : problem }
      return head.parent == parent.hash ? nil : problem
    case .strayRecency(let lastUse, let key):
      guard try view.holds(Keys.recency(lastUse: lastUse, key).span.bytes, in: recency) else { return nil }
      guard let head = try readableHead(key, view) else { return try holdsBlock(key, view) ? nil : problem }
      return head.sessionCount == 0 && head.lastUseMicroseconds == lastUse ? nil : problem
    default: return problem
    }
  }

  private func sessionAgain(_ key: SessionKey, _ view: borrowing TransactionView) throws(StoreError) -> AuditProblem? {
    do throws(StoreError) {
      guard let (summary, inline) = try sessionSummary(key.space, key.name, view) else { return nil }
      let body = try sessionBody(summary, inline: inline, view)
      let root = try readableSpace(key.space, view)?.root
      return Self.difference(summary, body, root: root).map { .sessionSummary(key, $0) }
    } catch  where error.code == .damaged {
      return .sessionRecord(key, error.message)
    }
  }
}
