import KVBlocks
import KVCodec
import SafeLMDB

// Invariants:
// - Tables are read in this order: spaces, blocks, sessions, children, recency, extents. A frame's number is never
//   given twice, so an extent below `frameLimit` that was there at the beginning has an owner that was seen.
// - What is handed to `report` was seen in one snapshot or in several: whoever reads a store in use looks again.

/// The audit of all tables, each read once from its beginning to its end. Frames' bytes are not read.
struct TableAudit<Source: AuditSource> {
  let tables: Tables
  let source: Source
  /// Called between transactions with what looks wrong.
  let report: ([AuditProblem]) throws(StoreError) -> Void

  var index = AuditIndex()
  var claims: [FrameClaim] = []
  var sessions: [SessionKey] = []
  /// Sessions whose block tables do not fit the blocks that were seen.
  var suspects: Set<SessionKey> = []
  var spaces: [SpaceID: SpaceRecord] = [:]
  /// Spaces that there are, and whose records cannot be used.
  var unusableSpaces: Set<SpaceID> = []
  var counters: StoreCounters?
  var greatest = StoreCounters(nextSpace: 0, nextFrame: 0, lastRevision: 0)
  /// An unreadable record's frame looks like nobody's.
  var isEveryFrameKnown = true
  var areAllSessionsReadable = true
  /// Reports extents of no known frame also where not every frame is known.
  var reportsEveryOrphan = false
  var problems: [AuditProblem] = []

  static var recordLimit: Int { 2048 }
  static var sessionLimit: Int { 64 }
  static var keyLimit: Int { 1 << 14 }
  static var problemLimit: Int { 1 << 16 }

  init(tables: Tables, source: Source, report: @escaping ([AuditProblem]) throws(StoreError) -> Void) {
    self.tables = tables
    self.source = source
    self.report = report
  }

  mutating func run() throws(StoreError) {
    try readMeta()
    try readSpaces()
    try readBlocks()
    try readSessions()
    try readChildren()
    try readRecency()
    try checkBlocks()
    try readExtents()
    checkCounters()
    try flush()
  }

  mutating func flush() throws(StoreError) {
    guard !problems.isEmpty else { return }
    try report(problems)
    problems.removeAll(keepingCapacity: true)
  }

  private mutating func readMeta() throws(StoreError) {
    let tables = tables
    var expectedBlockCount = 0
    do throws(StoreError) {
      (counters, expectedBlockCount) = try source.look { (view) throws(StoreError) in
        (try tables.counters(view), try view.size(of: tables.blocks).entryCount)
      }
    } catch  where error.code == .damaged {
      problems.append(.counters(error.message))
    }
    index.reserve(min(expectedBlockCount, 1 << 22))
    claims.reserveCapacity(min(expectedBlockCount, 1 << 22))
  }

  private mutating func readSpaces() throws(StoreError) {
    try source.scan(tables.spaces, limit: Self.recordLimit, between: {}) { (_, bytes, value) throws(StoreError) in
      guard bytes.byteCount == 4 else {
        problems.append(.strayKey(.spaces, bytes.copied))
        return
      }
      let id = SpaceID(rawValue: UInt32(bigEndian: bytes.unsafeLoadUnaligned(as: UInt32.self)))
      greatest.nextSpace = max(greatest.nextSpace, id.rawValue)
      if let problem = try Tables.spaceProblem(value, id: id) {
        problems.append(problem)
        unusableSpaces.insert(id)
      } else {
        spaces[id] = try SpaceFormat.decode(value, id: id)
      }
    }
  }

  private mutating func readBlocks() throws(StoreError) {
    let (tables, counters) = (tables, counters)
    try source.scan(tables.blocks, limit: Self.recordLimit, between: { () throws(StoreError) in try flush() }) {
      (view, bytes, value) throws(StoreError) in
      guard let key = Keys.block(of: bytes) else {
        problems.append(.strayKey(.blocks, bytes.copied))
        return
      }
      let space = try space(key.space, view) { () throws(StoreError) in
        // Spaces are never deleted: a number that was given had a record.
        if let counters, key.space.rawValue > 0, key.space.rawValue < counters.nextSpace { return true }
        // The key itself may be damaged: the frame says where the block belongs.
        guard let frame = try tables.readableHead(key, view)?.frame else { return false }
        return try tables.blockNamed(in: frame, view) == key
      }
      let (head, digest, problem) = try Tables.examine(value, key, space: space)
      if let problem, !unusableSpaces.contains(key.space) { problems.append(problem) }
      if head == nil { isEveryFrameKnown = false }
      if let head { claim(head.frame, .block, owner: index.count) }
      index.append(key, head, tokenDigest: digest)
    }
    index.finish()
  }

  /// The space of what was just read; nil where there is none, or it cannot be used.
  /// - Parameter isNamedRightly: whether what was read belongs to that space indeed.
  mutating func space(
    _ id: SpaceID, _ view: borrowing TransactionView, isNamedRightly: () throws(StoreError) -> Bool
  ) throws(StoreError) -> SpaceRecord? {
    if let known = spaces[id] { return known }
    guard !unusableSpaces.contains(id) else { return nil }
    // One that was made since the spaces were read.
    if let made = try tables.readableSpace(id, view) {
      spaces[id] = made
      return made
    }
    guard try isNamedRightly() else { return nil }
    unusableSpaces.insert(id)
    problems.append(.space(id, Tables.missingSpace))
    return nil
  }

  mutating func claim(_ frame: FrameReference, _ kind: FrameClaim.Kind, owner: Int) {
    greatest.nextFrame = max(greatest.nextFrame, frame.id)
    claims.append(FrameClaim(id: frame.id, byteCount: frame.byteCount, owner: UInt32(owner), kind: kind))
  }

  func owner(of claim: FrameClaim) -> FrameOwner {
    switch claim.kind {
    case .block: .block(index.key(Int(claim.owner)))
    case .body: .body(sessions[Int(claim.owner)])
    case .checkpoint: .checkpoint(sessions[Int(claim.owner)])
    }
  }

  private mutating func checkCounters() {
    guard let counters else { return }
    if greatest.nextSpace >= counters.nextSpace {
      problems.append(.counter(.space, value: UInt64(greatest.nextSpace)))
    }
    if greatest.nextFrame >= counters.nextFrame {
      problems.append(.counter(.frame, value: greatest.nextFrame))
    }
    if greatest.lastRevision > counters.lastRevision {
      problems.append(.counter(.revision, value: greatest.lastRevision))
    }
  }
}

extension RawSpan {
  var copied: [UInt8] { withUnsafeBytes { Array($0) } }
}
