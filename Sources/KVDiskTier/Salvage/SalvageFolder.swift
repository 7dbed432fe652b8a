import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants: a store that is in `path` was put there by `finish()`, or by somebody else, whose it stays.

/// A new store's folder: the store grows in a folder inside it and takes its place when it is whole.
struct SalvageFolder {
  let path: String
  let nursery: String
  private let isMade: Bool
  private static let prefix = "salvage-"

  /// Takes away what a salvage that was killed left in `path`.
  /// - Throws: `alreadyExists` where `path` is anything but an empty folder.
  static func requireFree(_ path: String) throws(StoreError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw error("look at", path)
    }
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw StoreError(.alreadyExists, "\(path) exists and is no folder: name a new one")
    }
    CompactionNursery.sweep(path, prefix: prefix)
    guard let folder = opendir(path) else { throw error("read", path) }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name == "." || name == ".." else {
        throw StoreError(.alreadyExists, "\(path) is not empty: name a new folder, or empty it")
      }
    }
  }

  init(_ path: String) throws(StoreError) {
    self.path = path
    isMade = mkdir(path, 0o755) == 0
    guard isMade || errno == EEXIST else { throw Self.error("make", path) }
    nursery = "\(path)/\(Self.prefix)\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard mkdir(nursery, 0o755) == 0 else {
      let failure = Self.error("make a folder in", path)
      if isMade { rmdir(path) }
      throw failure
    }
  }

  /// Puts the store in its place, whole or not at all.
  /// - Throws: `alreadyExists` where another store came there meanwhile, which stays as it is.
  func finish() throws(StoreError) {
    try StoreFile(directory: path).adopt(nursery + "/data.mdb", replacing: false)
    removeNursery()
  }

  func discard() {
    removeNursery()
    if isMade { rmdir(path) }
  }

  private func removeNursery() {
    unlink(nursery + "/data.mdb")
    unlink(nursery + "/lock.mdb")
    rmdir(nursery)
  }

  private static func error(_ action: String, _ path: String) -> StoreError {
    let code = errno
    let cause = String(cString: strerror(code))
    switch code {
    case EACCES, EPERM:
      return StoreError(
        .permissionDenied, "not allowed to \(action) \(path): check owner and permissions", cause: cause)
    case EROFS: return StoreError(.readOnly, "cannot \(action) \(path): the file system is read-only", cause: cause)
    case ENOSPC, EDQUOT: return .diskFull(cause: cause)
    case ENOENT, ENOTDIR:
      return StoreError(.notFound, "cannot \(action) \(path): its parent folder does not exist", cause: cause)
    default: return StoreError(.inputOutput, "cannot \(action) \(path)", cause: cause)
    }
  }
}
