import KVBlocks
import SafeLMDB

/// LMDB's codes as the store's errors, each with its remedy.
extension StoreError: LMDBErrorConvertible {
  package init(_ error: LMDBError) {
    let cause = error.description
    switch error {
    case .mapFull:
      self.init(
        .mapFull,
        "the store fills its map: open it with a larger one, give the process more address space, or lower the quota",
        cause: cause)
    case .noSpace, .quotaExceeded, .fileTooLarge:
      self = .diskFull(cause: cause)
    case .accessDenied, .notPermitted:
      self.init(
        .permissionDenied,
        "the operating system refuses access to the store: check owner and permissions of its directory and files",
        cause: cause)
    case .readOnlyFileSystem:
      self.init(.readOnly, "the store lies on a read-only file system: open it for reading only", cause: cause)
    case .corrupted, .pageNotFound, .invalid, .notFound, .incompatible:
      self.init(
        .damaged,
        "the store's tables are damaged: `kvpager verify` lists the damage; bring the store back from a copy",
        cause: cause)
    case .versionMismatch:
      self.init(
        .versionTooNew, "the store was written with another file format of LMDB: use that version of LMDB", cause: cause
      )
    case .readersFull:
      self.init(
        .busy, "too many readers use the store at one time: close some, or raise the reader limit", cause: cause)
    case .alreadyOpen:
      self.init(.busy, "the store is open already in this process: share that one", cause: nil)
    case .overtaken:
      self.init(
        .busy,
        "another process wrote to the store while it was read, and this user may not write lock.mdb, which would have "
          + "kept what is read: try again while nobody writes, or read a copy",
        cause: nil)
    case .forked:
      self.init(.forked, "the store was opened before fork(): open it anew in the child process", cause: nil)
    case .closed:
      self.init(.closed, "the store was closed: open it anew", cause: nil)
    case .noMemory:
      self.init(
        .inputOutput,
        "the address space has no room for the store's map: open it with a smaller one, or raise `ulimit -v`",
        cause: cause)
    case .noSuchFile:
      self.init(.notFound, "there is no store at this path", cause: cause)
    default:
      self.init(.inputOutput, "the store's file cannot be read or written", cause: cause)
    }
  }

  static func diskFull(cause: String?) -> StoreError {
    StoreError(
      .diskFull,
      "the disk is full: free space, or delete sessions that are not needed, then try again; nothing committed is lost",
      cause: cause)
  }

  static let readOnlyStore = StoreError(.readOnly, "the store is open for reading only: open it for writing")
}
