import KVBlocks
import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A store's directory before LMDB sees it: is there a store, may it be opened, how is one made.
struct StoreFile {
  let directory: String
  var dataPath: String { directory + "/data.mdb" }

  enum Presence {
    case absent
    case present
  }

  /// - Throws: `notAStore`, `damaged`, `foreignByteOrder`, `permissionDenied` or `inputOutput`.
  func presence() throws(StoreError) -> Presence {
    var status = stat()
    guard stat(dataPath, &status) == 0 else {
      switch errno {
      case ENOENT: return .absent
      case ENOTDIR: throw .notAStore(directory, "it is no directory")
      default: throw systemError("look for a store at")
      }
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAStore(directory, "data.mdb is no regular file") }
    guard status.st_size > 0 else {
      throw StoreError(
        .damaged,
        "\(dataPath) is empty: bring it back from a copy, or delete it if it never held anything, "
          + "then a new store can be made"
      )
    }
    try checkMagic()
    return .present
  }

  /// LMDB's magic number lies at offset 16 of the file, in the byte order of the machine that made it.
  private func checkMagic() throws(StoreError) {
    let descriptor = open(dataPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemError("read") }
    defer { close(descriptor) }
    var magic: UInt32 = 0
    let count = withUnsafeMutableBytes(of: &magic) { pread(descriptor, $0.baseAddress, 4, 16) }
    switch (count, magic) {
    case (4, 0xBEEF_C0DE): return
    case (4, UInt32(0xBEEF_C0DE).byteSwapped): throw .foreignByteOrder(directory)
    case (4, _): throw .notAStore(directory, "data.mdb is no LMDB file")
    case (0..., _):
      throw StoreError(.damaged, "\(dataPath) is cut off within its first page: bring it back from a copy")
    default: throw systemError("read")
    }
  }

  /// Makes an empty store so that `data.mdb` appears whole or not at all, whatever happens meanwhile and however many
  /// processes try at one time: it is made in a directory of its own and then linked into place.
  func create(options: DiskTierOptions, now: UInt64) throws(StoreError) {
    if mkdir(directory, 0o755) != 0, errno != EEXIST { throw systemError("make the directory") }
    let nursery = "\(directory)/new-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard mkdir(nursery, 0o755) == 0 else { throw systemError("make a store in") }
    defer {
      unlink(nursery + "/data.mdb")
      unlink(nursery + "/lock.mdb")
      rmdir(nursery)
    }
    try fill(nursery, options: options, now: now)
    if link(nursery + "/data.mdb", dataPath) != 0 {
      switch errno {
      case EEXIST: break
      case EPERM, ENOTSUP, ENOSYS:
        // A file system without hard links: the last of several processes that make one store at a time wins.
        guard rename(nursery + "/data.mdb", dataPath) == 0 else { throw systemError("make a store in") }
      default: throw systemError("make a store in")
      }
    }
    // The file's name, then the directory's own: a commit is safe only where both are.
    sync(directory: directory)
    sync(directory: directory + "/..")
  }

  private func fill(_ nursery: String, options: DiskTierOptions, now: UInt64) throws(StoreError) {
    let environment: Environment
    do { environment = try Environment(path: nursery, options: options.environment) } catch { throw StoreError(error) }
    var random = SystemRandomNumberGenerator()
    let header = StoreHeader(
      formatVersion: FormatVersion.current, storeID: (0..<16).map { _ in random.next() }, createdMicroseconds: now)
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let tables = try Tables(creatingIn: &transaction)
      try transaction.write(StoreHeader.key, header.encoded(), in: tables.meta)
      try transaction.write(StoreCounters.key, StoreCounters().encoded(), in: tables.meta)
    }
  }

  func sync(directory: String) {
    let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  func systemError(_ action: String) -> StoreError {
    let code = errno
    let cause = String(cString: strerror(code))
    switch code {
    case EACCES, EPERM:
      return StoreError(
        .permissionDenied, "not allowed to \(action) \(directory): check owner and permissions", cause: cause)
    case EROFS:
      return StoreError(.readOnly, "cannot \(action) \(directory): the file system is read-only", cause: cause)
    case ENOSPC, EDQUOT:
      return .diskFull(cause: cause)
    case ENOENT, ENOTDIR:
      return StoreError(.notFound, "cannot \(action) \(directory): its parent directory does not exist", cause: cause)
    default:
      return StoreError(.inputOutput, "cannot \(action) \(directory)", cause: cause)
    }
  }
}
