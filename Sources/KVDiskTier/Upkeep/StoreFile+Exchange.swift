import KVBlocks
import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A data file that takes the place of the store's.
extension StoreFile {
  /// - Throws: `invalidArgument` where the name leads elsewhere: an exchange would leave that file as it is.
  func requireOwnFile() throws(StoreError) {
    var status = stat()
    guard lstat(dataPath, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return }
    throw .invalidArgument("\(dataPath) is a link to a file elsewhere; compact that folder, or use --into")
  }

  /// Gives the file at `path` the name `data.mdb`, for good.
  /// - Parameter replacing: false: a store that is there stays, and `alreadyExists` is thrown.
  func adopt(_ path: String, replacing: Bool) throws(StoreError) {
    if replacing {
      guard rename(path, dataPath) == 0 else { throw systemError("exchange the file of") }
    } else if link(path, dataPath) != 0 {
      switch errno {
      case EEXIST: throw .holdsStore(directory)
      case EPERM, ENOTSUP, ENOSYS:
        // A file system without hard links: a store that came just now is overwritten, one that was there is not.
        guard access(dataPath, F_OK) != 0 else { throw .holdsStore(directory) }
        guard rename(path, dataPath) == 0 else { throw systemError("make a store in") }
      default: throw systemError("make a store in")
      }
    }
    sync(directory: directory)
    if !replacing { sync(directory: directory + "/..") }
  }

  /// The file's bytes are on the medium when this returns.
  func syncData() throws(StoreError) {
    let descriptor = open(dataPath, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemError("read") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw systemError("write") }
  }

  /// Gives the file at `path` the store's owner and permissions: whoever could use the store still can.
  func handOverOwner(to path: String) throws(StoreError) {
    var (own, other) = (stat(), stat())
    guard stat(dataPath, &own) == 0, stat(path, &other) == 0 else { throw systemError("read") }
    if own.st_uid != other.st_uid || own.st_gid != other.st_gid, chown(path, own.st_uid, own.st_gid) != 0 {
      throw StoreError(
        .permissionDenied, "\(dataPath) belongs to another user or group: compact it as that user, or use --into")
    }
    guard chmod(path, own.st_mode & 0o7777) == 0 else { throw systemError("exchange the file of") }
  }
}

extension StoreError {
  static func holdsStore(_ folder: String) -> StoreError {
    StoreError(.alreadyExists, "\(folder) holds a store already; choose another folder")
  }
}

/// What compacting asks an open store.
extension DiskTier {
  struct EntryCounts: Hashable {
    var counts: [Int]
    var sessions: Int
    var blocks: Int
  }

  func entryCounts() throws(StoreError) -> EntryCounts {
    try environment.read { (transaction) throws(StoreError) in
      var counts: [Int] = []
      for table in tables.own { counts.append(try transaction.size(of: table).entryCount) }
      return EntryCounts(
        counts: counts, sessions: try transaction.size(of: tables.sessions).entryCount,
        blocks: try transaction.size(of: tables.blocks).entryCount)
    }
  }

  /// Bytes of the pages in use: at least as many as the compacted file has.
  func usedByteCount() throws(StoreError) -> Int {
    try environment.read { (transaction) throws(StoreError) in
      try tables.usedPageCount(transaction) * environment.pageByteCount
    }
  }

  /// Bytes of the data file.
  package func fileByteCount() throws(StoreError) -> Int {
    do { return try environment.fileByteCount() } catch { throw StoreError(error) }
  }

  /// Has LMDB open the file that now has the store's name, as the first of all processes: it fills the lock file anew.
  func reopenLockFile() throws(StoreError) {
    do { try Environment(path: path, options: options.environment).close() } catch { throw StoreError(error) }
  }
}
