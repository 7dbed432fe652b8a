import CSystemLMDB
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - One environment per file and process (OpenFiles); it works only in the process that opened it.
// - `idleReaders` are read transactions that were reset: they hold a reader slot and no snapshot.
// - A transaction begins and ends on one thread, inside a scope, between `gate.enter` and `gate.leave`.
// - `environment` is used only inside the gate while `isOpen`; it is closed once, when no transaction is live.

/// One LMDB environment: a directory that holds `data.mdb` and `lock.mdb`.
package final class Environment: @unchecked Sendable {  // because: an MDB_env is made for sharing
  private let environment: OpaquePointer
  private let identity: OpenFiles.Identity
  private let processID: pid_t
  private let gate = MapGate()
  private let isOpen = Atomic<Bool>(true)
  private let idleReaders = Lock<[IdleReader]>([])
  package let options: EnvironmentOptions
  package let path: String
  /// Other processes' entries in the lock file's table of readers when this environment was opened, before the slots of
  /// those that had died were freed.
  package let readersAtOpening: [EnvironmentReader]

  /// A reset transaction's pointer on its way between threads.
  private struct IdleReader: @unchecked Sendable {  // because: MDB_NOTLS ties it to no thread; one owner
    let pointer: OpaquePointer
  }

  /// Opens the environment in directory `path`, which must exist.
  /// - Throws: ``LMDBError/alreadyOpen``, or what LMDB says. Nothing stays open then.
  package init(path: String, options: EnvironmentOptions = EnvironmentOptions()) throws(LMDBError) {
    (environment, identity) = try OpenFiles.withReservation(path: path + "/data.mdb") { () throws(LMDBError) in
      try Self.open(path: path, options: options)
    }
    self.path = path
    self.options = options
    processID = getpid()
    keyByteLimit = Int(mdb_env_get_maxkeysize(environment))
    var statistics = MDB_stat()
    pageByteCount = mdb_env_stat(environment, &statistics) == MDB_SUCCESS ? Int(statistics.ms_psize) : 4096
    let readers = Self.readers(of: environment)
    var deadCount: Int32 = 0
    _ = mdb_reader_check(environment, &deadCount)
    readersAtOpening = deadCount > 0 ? EnvironmentReader.marked(readers, left: Self.readers(of: environment)) : readers
  }

  deinit { close() }

  /// Waits for live transactions, then closes the file: every later call throws ``LMDBError/closed``. Not inside a
  /// transaction.
  package func close() {
    // In a forked child the environment is the parent's: closing it would release the parent's reader slots.
    guard getpid() == processID else { return }
    gate.whileNoneIsLive {
      guard isOpen.exchange(false, ordering: .relaxed) else { return }
      OpenFiles.release(identity) {
        for reader in idleReaders.withLock({ $0 }) { mdb_txn_abort(reader.pointer) }
        mdb_env_close(environment)
      }
    }
  }

  private static func open(
    path: String, options: EnvironmentOptions
  ) throws(LMDBError) -> (OpaquePointer, descriptor: Int32) {
    var pointer: OpaquePointer?
    try check(mdb_env_create(&pointer))
    guard let pointer else { throw .noMemory }
    do throws(LMDBError) {
      var status = stat()
      let fileByteCount = stat(path + "/data.mdb", &status) == 0 ? Int(status.st_size) : 0
      guard let mapByteCount = AddressSpace.mapByteCount(wanted: options.mapByteCount, least: fileByteCount) else {
        throw .noMemory
      }
      try check(mdb_env_set_mapsize(pointer, mapByteCount))
      try check(mdb_env_set_maxdbs(pointer, UInt32(options.tableLimit)))
      try check(mdb_env_set_maxreaders(pointer, UInt32(options.readerLimit)))
      var flags = UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD)
      if options.isReadOnly { flags |= UInt32(MDB_RDONLY) }
      if options.durability == .lastCommitAtRisk { flags |= UInt32(MDB_NOMETASYNC) }
      try check(mdb_env_open(pointer, path, flags, mode_t(options.fileMode)))
      var descriptor: Int32 = -1
      try check(mdb_env_get_fd(pointer, &descriptor))
      return (pointer, descriptor)
    } catch {
      mdb_env_close(pointer)
      throw error
    }
  }

  // MARK: Transactions

  /// Runs `body` on a snapshot. Keep it short, and call nothing in it that is not this library's own.
  @available(*, noasync, message: "transactions belong to one thread")
  package func read<R, E: LMDBErrorConvertible>(
    _ body: (borrowing ReadTransaction) throws(E) -> R
  ) throws(E) -> R {
    try requireOwnProcess(E.self)
    let pointer = try enter(E.self, begin: beginReading)
    defer {
      mdb_txn_reset(pointer)
      idleReaders.withLock { $0.append(IdleReader(pointer: pointer)) }
      gate.leave()
    }
    return try body(ReadTransaction(pointer: pointer))
  }

  /// Runs `body` as the one writer of all processes and commits where it returns. Where it throws, nothing was done.
  @available(*, noasync, message: "a write transaction must end on the thread that it began on")
  package func write<R, E: LMDBErrorConvertible>(
    _ body: (inout WriteTransaction) throws(E) -> R
  ) throws(E) -> R {
    try requireOwnProcess(E.self)
    let pointer = try enter(E.self) {
      var pointer: OpaquePointer?
      let code = mdb_txn_begin(environment, nil, 0, &pointer)
      return (code, pointer)
    }
    defer { gate.leave() }
    var transaction = WriteTransaction(pointer: pointer)
    let result: R
    do throws(E) {
      result = try body(&transaction)
    } catch {
      mdb_txn_abort(pointer)
      throw error
    }
    let code = mdb_txn_commit(pointer)
    if code != MDB_SUCCESS { throw E(LMDBError(code: code)) }
    return result
  }

  /// Opens tables in a snapshot that is committed, so that their handles stay. Once, before the environment is shared.
  package func openTables<R, E: LMDBErrorConvertible>(
    _ body: (borrowing ReadTransaction) throws(E) -> R
  ) throws(E) -> R {
    let pointer = try enter(E.self) {
      var pointer: OpaquePointer?
      let code = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &pointer)
      return (code, pointer)
    }
    defer { gate.leave() }
    let result: R
    do throws(E) {
      result = try body(ReadTransaction(pointer: pointer))
    } catch {
      mdb_txn_abort(pointer)
      throw error
    }
    let code = mdb_txn_commit(pointer)
    if code != MDB_SUCCESS { throw E(LMDBError(code: code)) }
    return result
  }

  /// Begins a transaction inside the gate. Another process may have let the file grow past our map: then the map is
  /// adopted as soon as no transaction of this process is live.
  private func enter<E: LMDBErrorConvertible>(
    _: E.Type, begin: () -> (code: Int32, pointer: OpaquePointer?)
  ) throws(E) -> OpaquePointer {
    var hasCleared = false
    while true {
      gate.enter()
      guard isOpen.load(ordering: .relaxed) else {
        gate.leave()
        throw E(.closed)
      }
      let (code, pointer) = begin()
      if code == MDB_SUCCESS, let pointer { return pointer }
      gate.leave()
      switch code {
      case MDB_MAP_RESIZED:
        let adopted = gate.whileNoneIsLive {
          isOpen.load(ordering: .relaxed) ? adoptGrowth() : LMDBError.closed.code
        }
        if adopted != MDB_SUCCESS { throw E(LMDBError(code: adopted)) }
      case MDB_READERS_FULL where !hasCleared:
        clearStaleReaders()
        hasCleared = true
      default:
        throw E(LMDBError(code: code))
      }
    }
  }

  /// Maps the file anew. LMDB gives the old map up first and is left without any where the new one does not fit: so
  /// that is known before.
  private func adoptGrowth() -> Int32 {
    // 0 is the largest map that a process had on the file, which need not fit this one.
    if AddressSpace.fits(options.mapByteCount) { return mdb_env_set_mapsize(environment, 0) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return errno }
    let wanted = AddressSpace.mapByteCount(wanted: options.mapByteCount, least: Int(status.st_size))
    return wanted.map { mdb_env_set_mapsize(environment, $0) } ?? LMDBError.noMemory.code
  }

  private var descriptor: Int32 {
    var descriptor: Int32 = -1
    return mdb_env_get_fd(environment, &descriptor) == MDB_SUCCESS ? descriptor : -1
  }

  private func beginReading() -> (code: Int32, pointer: OpaquePointer?) {
    if let idle = idleReaders.withLock({ $0.popLast() }) {
      let code = mdb_txn_renew(idle.pointer)
      if code == MDB_SUCCESS { return (code, idle.pointer) }
      mdb_txn_abort(idle.pointer)
      return (code, nil)
    }
    var pointer: OpaquePointer?
    let code = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &pointer)
    return (code, pointer)
  }

  private func requireOwnProcess<E: LMDBErrorConvertible>(_: E.Type) throws(E) {
    if getpid() != processID { throw E(.forked) }
  }

  // MARK: Facts and upkeep

  /// Frees reader slots of processes that died; the pages that they pinned become usable again.
  @discardableResult
  package func clearStaleReaders() -> Int {
    var dead: Int32 = 0
    do throws(LMDBError) {
      try whileOpen { mdb_reader_check(environment, &dead) }
    } catch {
      return 0
    }
    return Int(dead)
  }

  /// Other processes in the lock file's table of readers, at most as many as it has slots.
  package func readers() throws(LMDBError) -> [EnvironmentReader] {
    var readers: [EnvironmentReader] = []
    try whileOpen {
      readers = Self.readers(of: environment)
      return MDB_SUCCESS
    }
    return readers
  }

  package func info() throws(LMDBError) -> EnvironmentInfo {
    var raw = MDB_envinfo()
    try whileOpen { mdb_env_info(environment, &raw) }
    return EnvironmentInfo(
      mapByteCount: raw.me_mapsize, pageCount: raw.me_last_pgno + 1, pageByteCount: pageByteCount,
      lastTransaction: UInt64(raw.me_last_txnid), readerSlotCount: Int(raw.me_numreaders),
      readerSlotLimit: Int(raw.me_maxreaders))
  }

  /// Bytes of a page of this file.
  package let pageByteCount: Int

  /// The longest key that LMDB takes, in bytes.
  package let keyByteLimit: Int

  /// Bytes of the data file.
  package func fileByteCount() throws(LMDBError) -> Int {
    var status = stat()
    try whileOpen {
      var descriptor: Int32 = -1
      let code = mdb_env_get_fd(environment, &descriptor)
      if code != MDB_SUCCESS { return code }
      return fstat(descriptor, &status) == 0 ? MDB_SUCCESS : errno
    }
    return Int(status.st_size)
  }

  /// Another file has the name `data.mdb` in the environment's folder by now.
  package var hasLostItsName: Bool {
    guard let named = OpenFiles.Identity(path: path + "/data.mdb") else { return false }
    return named != identity
  }

  /// Bytes that the file system still has for this user.
  package func freeDiskByteCount() -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? Int.max : Int(clamping: bytes)
  }

  /// Copies the environment as it is now to a new directory `path`, leaving out free pages where `compacting`.
  package func copy(to path: String, compacting: Bool) throws(LMDBError) {
    try whileOpen { mdb_env_copy2(environment, path, compacting ? UInt32(MDB_CP_COMPACT) : 0) }
  }

  /// A call that is no transaction, inside the gate.
  private func whileOpen(_ body: () -> Int32) throws(LMDBError) {
    guard getpid() == processID else { throw .forked }
    gate.enter()
    defer { gate.leave() }
    guard isOpen.load(ordering: .relaxed) else { throw .closed }
    try check(body())
  }
}
