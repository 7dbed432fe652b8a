import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// LMDB's environment as it was opened. Where it would not open, nothing stays open.
struct Opened {
  let environment: OpaquePointer
  let descriptor: Int32
  /// Readers are noted in `lock.mdb`.
  let isLocked: Bool

  init(path: String, options: EnvironmentOptions) throws(LMDBError) {
    guard options.isReadOnly else {
      self = try Self.open(path: path, options: options, isLocked: true)
      return
    }
    // A store on a read-only medium, or another user's: its readers cannot be noted, and it is read all the same.
    guard options.usesLockFile, Self.isLockWritable(path) else {
      self = try Self.open(path: path, options: options, isLocked: false)
      return
    }
    do throws(LMDBError) {
      self = try Self.open(path: path, options: options, isLocked: true)
    } catch {
      guard [.accessDenied, .notPermitted, .readOnlyFileSystem].contains(error) else { throw error }
      self = try Self.open(path: path, options: options, isLocked: false)
    }
  }

  private init(environment: OpaquePointer, descriptor: Int32, isLocked: Bool) {
    self.environment = environment
    self.descriptor = descriptor
    self.isLocked = isLocked
  }

  /// Whether LMDB can open its lock file, or make it.
  private static func isLockWritable(_ path: String) -> Bool {
    if access(path + "/lock.mdb", R_OK | W_OK) == 0 { return true }
    return errno == ENOENT && access(path, W_OK | X_OK) == 0
  }

  private static func open(
    path: String, options: EnvironmentOptions, isLocked: Bool
  ) throws(LMDBError) -> Opened {
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
      if !isLocked { flags |= UInt32(MDB_NOLOCK) }
      if options.durability == .lastCommitAtRisk { flags |= UInt32(MDB_NOMETASYNC) }
      try check(mdb_env_open(pointer, path, flags, mode_t(options.fileMode)))
      var descriptor: Int32 = -1
      try check(mdb_env_get_fd(pointer, &descriptor))
      return Opened(environment: pointer, descriptor: descriptor, isLocked: isLocked)
    } catch {
      mdb_env_close(pointer)
      throw error
    }
  }
}
