import KVBlocks
import SafeLMDB

/// The audit of the tables in one snapshot. Frames' bytes are not read.
struct TableAudit {
  let tables: Tables
  private(set) var findings: [Finding] = []
  private(set) var checkpointedSessions: [(space: SpaceID, name: String)] = []
  private var heads: [BlockKey: BlockHead] = [:]
  private var unreadable: Set<BlockKey> = []
  private var roots: [SpaceID: BlockHash] = [:]
  private var references: [BlockKey: Int] = [:]
  /// Frames and how many pieces each should have.
  private var pieceCounts: [UInt64: Int] = [:]
  private var isEveryFrameKnown = true
  private var counters = StoreCounters()

  init(tables: Tables) { self.tables = tables }

  var blockKeys: [BlockKey] { heads.keys.sorted { heads[$0]!.frame.id < heads[$1]!.frame.id } }

  mutating func run(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    do throws(StoreError) {
      counters = try tables.counters(transaction)
      for space in try tables.allSpaces(transaction) { roots[space.id] = space.root }
    } catch  where error.code == .damaged {
      findings.append(Finding(.record, error.message))
    }
    try readBlocks(transaction)
    try readSessions(transaction)
    try checkBlocks(transaction)
    try checkChildren(transaction)
    try checkRecency(transaction)
    try checkExtents(transaction)
  }

  private mutating func readBlocks(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    try transaction.forEach(in: tables.blocks) { (bytes, value) throws(StoreError) in
      guard let key = Keys.block(of: bytes) else {
        findings.append(Finding(.record, "a key of \(bytes.byteCount) bytes in the table of blocks"))
        return true
      }
      do throws(StoreError) {
        let record = try BlockFormat.decode(value, key: key)
        heads[key] = try BlockFormat.decodeHead(value)
        let hash = ChainHash.hash(parent: record.parent, tokens: record.tokens, encodedExtra: record.encodedExtra)
        if hash != key.hash {
          findings.append(Finding(.identity, block: key, "its tokens and parent have another hash"))
        }
        claim(record.frame, Finding(.frame, block: key, "its frame \(record.frame.id) is another's too"))
      } catch  where error.code == .damaged {
        findings.append(Finding(.record, block: key, error.message))
        unreadable.insert(key)
        isEveryFrameKnown = false
      }
      return true
    }
  }

  private mutating func claim(_ frame: FrameReference, _ finding: Finding) {
    if frame.id >= counters.nextFrame {
      findings.append(Finding(.counters, block: finding.block, "frame \(frame.id) was never given"))
    }
    guard frame.byteCount > 0, frame.byteCount <= ExtentFormat.byteCountLimit else { return }
    if pieceCounts.updateValue(ExtentFormat.pieceCount(of: frame.byteCount), forKey: frame.id) != nil {
      findings.append(finding)
    }
  }

  private mutating func readSessions(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    var damaged: [Finding] = []
    let all = try tables.allSessions(transaction) { damaged.append(Finding(.record, session: $0, $1.message)) }
    if !damaged.isEmpty { isEveryFrameKnown = false }
    findings += damaged
    for (summary, inline) in all {
      if summary.body.id != 0 {
        claim(summary.body, Finding(.frame, session: summary.name, "its body's frame is another's too"))
      }
      if let checkpoint = summary.checkpoint {
        claim(checkpoint.frame, Finding(.frame, session: summary.name, "its checkpoint's frame is another's too"))
        checkpointedSessions.append((summary.space, summary.name))
      }
      do throws(StoreError) {
        let body = try tables.sessionBody(summary, inline: inline, transaction)
        for hash in body.record.blocks { references[BlockKey(space: summary.space, hash: hash), default: 0] += 1 }
        checkOrder(body)
      } catch  where error.code == .damaged {
        findings.append(Finding(.record, session: summary.name, error.message))
      }
    }
  }

  private mutating func checkOrder(_ body: SessionBody) {
    let space = body.record.space
    var parent = roots[space]
    for (index, hash) in body.record.blocks.enumerated() {
      let key = BlockKey(space: space, hash: hash)
      if let head = heads[key] {
        if head.parent != parent {
          findings.append(
            Finding(.missingBlock, session: body.record.name, "block \(index) does not follow the one before"))
        }
      } else if !unreadable.contains(key) {
        findings.append(Finding(.missingBlock, session: body.record.name, "block \(index), \(key), is not stored"))
      }
      parent = hash
    }
  }

  private mutating func checkBlocks(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    for (key, head) in heads {
      let references = references[key] ?? 0
      if references != Int(head.sessionCount) {
        findings.append(
          Finding(.sessionCount, block: key, "\(head.sessionCount) sessions are counted, \(references) hold it"))
      }
      let parent = BlockKey(space: key.space, hash: head.parent)
      if head.parent != roots[key.space], heads[parent] == nil, !unreadable.contains(parent) {
        findings.append(Finding(.orphanedBlock, block: key, "its parent is not stored"))
      }
      let child = Keys.child(of: parent, hash: key.hash)
      if try !transaction.holds(child.span.bytes, in: tables.children) {
        findings.append(Finding(.children, block: key, "its parent does not list it"))
      }
      let recency = Keys.recency(lastUse: head.lastUseMicroseconds, key)
      if try transaction.holds(recency.span.bytes, in: tables.recency) != (head.sessionCount == 0) {
        findings.append(
          Finding(.recency, block: key, head.sessionCount == 0 ? "the quota cannot find it" : "the quota may delete it")
        )
      }
    }
  }

  private mutating func checkChildren(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    try transaction.forEach(in: tables.children) { (bytes, _) throws(StoreError) in
      guard let child = Keys.child(of: bytes) else {
        findings.append(Finding(.children, "a key of \(bytes.byteCount) bytes in the table of children"))
        return true
      }
      let key = BlockKey(space: child.parent.space, hash: child.hash)
      if !unreadable.contains(key), heads[key]?.parent != child.parent.hash {
        findings.append(Finding(.children, block: key, "it is listed under a block that is not its parent"))
      }
      return true
    }
  }

  private mutating func checkRecency(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    try transaction.forEach(in: tables.recency) { (bytes, _) throws(StoreError) in
      guard let entry = Keys.recency(of: bytes) else {
        findings.append(Finding(.recency, "a key of \(bytes.byteCount) bytes in the table of recency"))
        return true
      }
      if !unreadable.contains(entry.key), heads[entry.key]?.lastUseMicroseconds != entry.lastUse {
        findings.append(Finding(.recency, block: entry.key, "it is listed at a time that is not its last use"))
      }
      return true
    }
  }

  /// Extents of no frame, and frames that lack some of theirs.
  private mutating func checkExtents(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    var found: [UInt64: Int] = [:]
    var orphanCount = 0
    try transaction.forEach(in: tables.extents) { (bytes, _) throws(StoreError) in
      guard let extent = Keys.extent(of: bytes) else { return true }
      if let count = pieceCounts[extent.frame], extent.piece < count {
        found[extent.frame, default: 0] += 1
      } else {
        orphanCount += 1
      }
      return true
    }
    if orphanCount > 0, isEveryFrameKnown {
      findings.append(Finding(.orphanedExtent, "\(orphanCount) extents belong to no frame: `kvpager gc` deletes them"))
    }
    for (frame, count) in pieceCounts where found[frame] ?? 0 != count {
      let owner = heads.first { $0.value.frame.id == frame }?.key
      findings.append(Finding(.frame, block: owner, "frame \(frame) has \(found[frame] ?? 0) of \(count) extents"))
    }
  }
}
