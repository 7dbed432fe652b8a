import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants: `path` holds nothing but `nursery` until `finish()`, and nothing but the store's files after it.

/// A new store's folder: the store grows in a folder inside it and takes its place when it is whole.
struct SalvageFolder {
  let path: String
  let nursery: String
  private let isMade: Bool

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
    nursery = "\(path)/salvage-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard mkdir(nursery, 0o755) == 0 else {
      let failure = Self.error("make a folder in", path)
      if isMade { rmdir(path) }
      throw failure
    }
  }

  /// Puts the store in its place, whole or not at all.
  func finish() throws(StoreError) {
    guard rename(nursery + "/data.mdb", path + "/data.mdb") == 0 else { throw Self.error("put the store in", path) }
    unlink(nursery + "/lock.mdb")
    rmdir(nursery)
    for folder in [path, path + "/.."] {
      let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      fsync(descriptor)
      close(descriptor)
    }
  }

  func discard() {
    unlink(nursery + "/data.mdb")
    unlink(nursery + "/lock.mdb")
    rmdir(nursery)
    if isMade { rmdir(path) }
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
