import KVBlocks

/// Which sessions come back, and in which state.
extension RawStoreScan {
  /// A session's state that comes back.
  struct ChosenSession {
    var key: RawSessionList.Key
    var candidate: RawSessionList.Candidate
    /// Blocks and tokens that come back.
    var blockCount: Int
    var tokenCount: Int
    var hasCheckpoint: Bool
    var isCut: Bool
  }

  /// What is left of one revision.
  private struct Assessment {
    var candidate: RawSessionList.Candidate
    var updatedMicroseconds: UInt64
    var tokenCount: Int
    var blockCount: Int
    /// Blocks before the first that is lost, and their tokens.
    var wholeBlockCount = 0
    var wholeTokenCount = 0
    var missingBlockCount = 0
    var lacksCheckpoint = false
    var reason = ""

    var isWhole: Bool { reason.isEmpty }
  }

  mutating func settle(_ options: SalvageOptions) throws(StoreError) {
    blocks.sort()
    try readBlockRecords()
    settleSpaces()
    settleChains()
    try settleSessions(options)
    settleBlocks(options)
  }

  private mutating func settleSessions(_ options: SalvageOptions) throws(StoreError) {
    let table = try RawSessionTable.read(file)
    report.isSessionTableRead = table != nil
    report.damagedSessionCount = sessions.damagedCount
    let misplaced = misplacedRevisions(table)
    let keys = Set(sessions.candidates.keys).union(table.map { Array($0.entries.keys) } ?? [])
    for key in keys.sorted() {
      if let isWanted = options.isWanted, !isWanted(key.name) { continue }
      var listed: UInt64?
      if case .revision(let revision) = table?.entries[key] { listed = revision }
      let lastRevision = table?.lastRevision ?? .max
      let candidates = sessions.inOrder(of: key, listed: listed, lastRevision: lastRevision)
      if let table, table.entries[key] == nil,
        !candidates.contains(where: { $0.revision > lastRevision || misplaced.contains($0.revision) })
      {
        report.deletedSessionCount += 1
        continue
      }
      var missing = listed
      if let first = candidates.first, first.revision == listed || first.revision > lastRevision { missing = nil }
      try settle(key, candidates, missing: missing, options)
    }
  }

  /// Revisions that LMDB's table has under no name, or one of which there is no such record: a name that was damaged in
  /// the table does not make its session a deleted one.
  private func misplacedRevisions(_ table: RawSessionTable?) -> Set<UInt64> {
    var revisions = table?.nameless ?? []
    for (key, entry) in table?.entries ?? [:] {
      guard case .revision(let revision) = entry else { continue }
      if sessions.candidates[key]?.keys.contains(where: { $0.number == revision }) != true {
        revisions.insert(revision)
      }
    }
    return revisions
  }

  /// - Parameter missing: the revision that was committed last, where no record of it was found.
  private mutating func settle(
    _ key: RawSessionList.Key, _ candidates: [RawSessionList.Candidate], missing: UInt64?, _ options: SalvageOptions
  ) throws(StoreError) {
    var newest: Assessment?
    for candidate in candidates {
      let found = try assess(candidate, key)
      if found.isWhole {
        let reason = missing != nil ? "its last commit is lost" : newest.map { "of its last commit, \($0.reason)" }
        append(key, found, newest: newest ?? found, fate: reason == nil ? .whole : .older, reason: reason ?? "")
        return
      }
      if newest == nil { newest = found }
    }
    if let newest {
      let comesBack = newest.wholeBlockCount > 0 && options.isPartial
      append(key, newest, newest: newest, fate: comesBack ? .partial : .lost, reason: newest.reason)
    } else {
      report.sessions.append(
        RawStoreReport.Session(
          space: key.space, name: key.name, fate: .lost, revision: missing ?? 0, tokenCount: 0, blockCount: 0,
          missingBlockCount: 0, lacksCheckpoint: false, salvagedTokenCount: 0, updatedMicroseconds: 0,
          reason: "its record is lost"))
    }
  }

  private mutating func append(
    _ key: RawSessionList.Key, _ found: Assessment, newest: Assessment, fate: RawStoreReport.Session.Fate,
    reason: String
  ) {
    report.sessions.append(
      RawStoreReport.Session(
        space: key.space, name: key.name, fate: fate, revision: newest.candidate.revision,
        tokenCount: newest.tokenCount, blockCount: newest.blockCount, missingBlockCount: newest.missingBlockCount,
        lacksCheckpoint: newest.lacksCheckpoint, salvagedTokenCount: fate == .lost ? 0 : found.wholeTokenCount,
        updatedMicroseconds: found.updatedMicroseconds, reason: reason))
    guard fate != .lost else { return }
    let isCut = found.wholeBlockCount < found.blockCount
    chosenSessions.append(
      ChosenSession(
        key: key, candidate: found.candidate, blockCount: found.wholeBlockCount, tokenCount: found.wholeTokenCount,
        hasCheckpoint: !isCut && !found.lacksCheckpoint, isCut: isCut || found.lacksCheckpoint))
  }

  private func assess(
    _ candidate: RawSessionList.Candidate, _ key: RawSessionList.Key
  ) throws(StoreError) -> Assessment {
    let body = try body(of: candidate)
    let record = body.record
    var found = Assessment(
      candidate: candidate, updatedMicroseconds: record.updatedMicroseconds, tokenCount: record.tokens.count,
      blockCount: record.blocks.count)
    guard let space = chosenSpaces[key.space] else {
      found.missingBlockCount = record.blocks.count
      found.reason = "nothing is left of its cache space \(key.space)"
      return found
    }
    let blockTokenCount = space.layout.blockTokenCount
    guard record.blocks.count == (record.tokens.count + blockTokenCount - 1) / blockTokenCount,
      body.root == space.root
    else {
      found.reason = "its record does not fit its cache space \(key.space)"
      return found
    }
    for (index, hash) in record.blocks.enumerated() {
      let block = blocks.index(of: BlockKey(space: key.space, hash: hash))
      if block.map({ blocks.blocks[$0].isWhole }) != true { found.missingBlockCount += 1 }
      guard let block, found.wholeBlockCount == index, blocks.chains[block] == .whole,
        blocks.blocks[block].parent == (index == 0 ? space.root : record.blocks[index - 1])
      else { continue }
      found.wholeBlockCount += 1
    }
    found.wholeTokenCount = min(found.wholeBlockCount * blockTokenCount, record.tokens.count)
    found.lacksCheckpoint =
      body.checkpoint != nil
      && checkpoints[BlockKey(space: key.space, hash: body.checkpointIdentifier)]?.rawByteCount
        != body.checkpoint?.byteCount
    var reasons: [String] = []
    if found.missingBlockCount > 0 {
      reasons.append(
        found.missingBlockCount == 1
          ? "1 of \(found.blockCount) blocks is lost"
          : "\(found.missingBlockCount) of \(found.blockCount) blocks are lost")
    } else if found.wholeBlockCount < found.blockCount {
      reasons.append("its blocks do not follow one another")
    }
    if found.lacksCheckpoint { reasons.append("its checkpoint is lost") }
    found.reason = reasons.joined(separator: ", ")
    return found
  }
}
