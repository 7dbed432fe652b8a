import KVBlocks
import KVCodec
import SafeLMDB

// Invariants (each holds in every committed transaction; `audit` checks them on a store):
// - A stored block's parent is stored, or is its space's root; `children` has one entry for each block.
// - A block's session count is the number of times that sessions' block tables hold it.
// - `recency` has one entry for each block of session count 0, at its last use, and no others.
// - Every extent belongs to the frame of one block, checkpoint or session body, and those have all their pieces.
// - Frame ids, space ids and revisions are never given twice.
// In this process:
// - Nothing read from a table outlives its transaction, but for `spaces`: a space's record never changes.
// - No read transaction is held when a method returns.

/// Cold blocks and sessions in LMDB. Implements what the pager's `ColdTier` asks, and more for the façade and the
/// inspector.
package final class DiskTier: Sendable {
  let environment: Environment
  let tables: Tables
  let codecs = CodecPool()
  let recentFrames = RecentFrames()
  package let options: DiskTierOptions
  package let path: String
  package let header: StoreHeader
  private let knownSpaces = Lock<[SpaceID: SpaceRecord]>([:])
  /// Page counts of the last batches of frames: how much room a quota must leave for pages that wait to be used again.
  let recentBatch = Lock<QuotaSlack>(QuotaSlack())

  /// Opens the store in directory `path`, or makes one where the options allow it.
  /// - Parameter report: what the guard said of the file just now; nil: it is asked here.
  /// - Throws: `notFound`, `notAStore`, `versionTooNew`, `foreignByteOrder`, `damaged`, `busy`, `permissionDenied`, ...
  package init(
    path: String, options: DiskTierOptions = DiskTierOptions(), guarded report: LMDBFileReport? = nil
  ) throws(StoreError) {
    let file = StoreFile(directory: path)
    if try file.presence() == .absent {
      guard options.access == .readWriteCreating else {
        throw StoreError(.notFound, "there is no store at \(path)")
      }
      try file.create(options: options, now: StoreClock.microseconds())
      _ = try file.presence()
    }
    if let report {
      if let refusal = LMDBFileGuard.refusal(report, path: path) { throw refusal }
    } else {
      try Self.guardFile(path: file.dataPath)
    }
    let environment = try Self.openEnvironment(path, options)
    (header, tables) = try environment.openTables { (transaction) throws(StoreError) in
      if options.mapsFewPages { transaction.mapFewPages() }
      let header = try Self.readHeader(transaction, path: path)
      return (header, try Tables(transaction))
    }
    self.environment = environment
    self.options = options
    self.path = path
  }

  /// The check of the file's size and tree pages that keeps a damaged file from LMDB.
  private static func guardFile(path: String) throws(StoreError) {
    try LMDBFileGuard.check(path: path)
  }

  /// Opens a file that the guard let pass. Another process may be exchanging it just then (`Compaction`).
  private static func openEnvironment(_ path: String, _ options: DiskTierOptions) throws(StoreError) -> Environment {
    var attemptCount = 0
    while true {
      attemptCount += 1
      do throws(LMDBError) {
        let environment = try Environment(path: path, options: options.environment)
        guard environment.hasLostItsName, attemptCount < Self.openingLimit else { return environment }
        environment.close()
      } catch {
        // The data file is sound, so it is the lock file that was caught between two files.
        guard error == .invalid, attemptCount < Self.openingLimit else {
          throw StoreError(error, opening: path, mapByteCount: options.mapSizeBytes)
        }
        StoreClock.pause()
      }
    }
  }

  private static let openingLimit = 5

  private static func readHeader(
    _ transaction: borrowing ReadTransaction, path: String
  ) throws(StoreError) -> StoreHeader {
    let table: Table?
    do { table = try transaction.openTable(TableName.meta) } catch { throw StoreError(error) }
    let key = StoreHeader.key
    guard let table, let bytes = try transaction.read(key.span.bytes, in: table) else {
      throw .notAStore(path, "data.mdb is an LMDB file of another program")
    }
    return try StoreHeader.decode(bytes, path: path)
  }

  /// Who else read the store when it was opened, those that died first among them; their slots are free now.
  package var readersAtOpening: [EnvironmentReader] { environment.readersAtOpening }

  /// Closes the file. Waits for calls that are under way; every later one throws `closed`.
  package func close() { environment.close() }

  /// False: this user may not write the lock file, so that a writer may overtake a reader, which throws `busy` then.
  package var isLocked: Bool { environment.isLocked }

  // MARK: Spaces

  /// The cache space of `fingerprint` and `layout`, made where it does not exist.
  /// - Throws: `damaged` where it does exist and its record cannot be read; a record that is another space's, or nobody
  ///   knows whose, is no hindrance.
  package func findOrCreateSpace(
    fingerprint: ModelFingerprint, layout: BlockLayout
  ) throws(StoreError) -> SpaceRecord {
    let root = fingerprint.rootHash(layout: layout)
    let wanted = SpaceRecord(id: SpaceID(rawValue: 0), fingerprint: fingerprint, layout: layout, root: root)
    let found = try environment.read { (transaction) throws(StoreError) in try find(wanted, transaction).found }
    if let found { return found }
    guard !options.isReadOnly else { throw .readOnlyStore }
    return try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let (found, stored) = try find(wanted, transaction)
      if let found { return found }
      // A salvaged space that lost its record: the root, a digest of fingerprint and layout, proves that this was it. A
      // root that comes from a seed proves nothing: other models have it too.
      let lost = stored.first { $0.fingerprint.isPlaceholder && $0.layout == layout && $0.root == root }
      if let lost, fingerprint.vllmSeed == nil {
        let record = SpaceRecord(id: lost.id, fingerprint: fingerprint, layout: layout, root: root)
        try transaction.write(Keys.space(record.id), SpaceFormat.encode(record), in: tables.spaces)
        knownSpaces.withLock { $0[record.id] = nil }
        return record
      }
      var counters = try tables.counters(transaction)
      // A number in use is never given again, whatever the counters and the record under it have become.
      while try transaction.holds(Keys.space(SpaceID(rawValue: counters.nextSpace)).span.bytes, in: tables.spaces) {
        guard counters.nextSpace < UInt32.max else { break }
        counters.nextSpace += 1
      }
      guard counters.nextSpace < UInt32.max else {
        throw StoreError(.inputOutput, "the store has used up its space ids")
      }
      let record = SpaceRecord(
        id: SpaceID(rawValue: counters.nextSpace), fingerprint: fingerprint, layout: layout, root: root)
      counters.nextSpace += 1
      try transaction.write(Keys.space(record.id), SpaceFormat.encode(record), in: tables.spaces)
      try transaction.write(StoreCounters.key, counters.encoded(), in: tables.meta)
      return record
    }
  }

  /// The space of a fingerprint and a layout among those that can be read, and all of these.
  /// - Throws: `damaged` where its record is there and cannot be read: in a second space of the kind, its sessions
  ///   would be out of sight.
  private func find(
    _ wanted: SpaceRecord, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> (found: SpaceRecord?, all: [SpaceRecord]) {
    var damage: StoreError?
    let all = try tables.allSpaces(transaction) { _, value, error in
      if SpaceFormat.isRemains(value, of: wanted) { damage = error }
    }
    let identity = wanted.fingerprint.canonicalBytes(layout: wanted.layout)
    let found = all.first { $0.fingerprint.canonicalBytes(layout: $0.layout) == identity }
    if found == nil, let damage { throw damage }
    return (found, all)
  }

  /// All cache spaces, by id.
  /// - Parameter damaged: is told of those whose records cannot be read.
  package func spaces(
    damaged: (SpaceID?, StoreError) -> Void = { _, _ in }
  ) throws(StoreError) -> [SpaceRecord] {
    try environment.read { (transaction) throws(StoreError) in
      try tables.allSpaces(transaction) { id, _, error in damaged(id, error) }
    }
  }

  /// Nil where there is no such space.
  package func space(_ id: SpaceID) throws(StoreError) -> SpaceRecord? {
    if let known = knownSpaces.withLock({ $0[id] }) { return known }
    let record = try environment.read { (transaction) throws(StoreError) in try tables.space(id, transaction) }
    if let record { knownSpaces.withLock { $0[id] = record } }
    return record
  }
}

extension StoreError {
  /// What an environment that would not open says.
  init(_ error: LMDBError, opening path: String, mapByteCount: Int) {
    switch error {
    case .invalid:
      self.init(
        .damaged,
        "\(path) holds no sound LMDB file: `kvpager verify` lists the damage; bring the store back from a copy",
        cause: error.description)
    case .noMemory:
      self.init(
        .inputOutput,
        "the address space has no room for a map of \(mapByteCount) bytes: "
          + "open the store with a smaller map, or raise `ulimit -v`",
        cause: error.description)
    default:
      self.init(error)
    }
  }
}
