import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// The folder in which a store's compacted file grows up: on the same disk as the place that it will take.
struct CompactionNursery {
  static let prefix = "compact-"
  let path: String
  var dataPath: String { path + "/data.mdb" }

  /// - Throws: `permissionDenied`, `diskFull`, ...
  init(in folder: String) throws(StoreError) {
    path = "\(folder)/\(Self.prefix)\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard mkdir(path, 0o700) == 0 else { throw StoreFile(directory: folder).systemError("make a folder in") }
  }

  func remove() { Self.remove(path) }

  /// Takes away what runs that were killed left in `folder`.
  /// - Parameters:
  ///   - prefix: what their folders' names begin with.
  ///   - isOver: whether the run of that process has ended.
  static func sweep(
    _ folder: String, prefix: String = CompactionNursery.prefix,
    where isOver: (pid_t) -> Bool = { kill($0, 0) != 0 && errno == ESRCH }
  ) {
    guard let list = opendir(folder) else { return }
    defer { closedir(list) }
    var leftovers: [String] = []
    while let entry = readdir(list) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let parts = name.split(separator: "-", omittingEmptySubsequences: false)
      guard name.hasPrefix(prefix), parts.count == 3, let process = pid_t(parts[1]), process > 0,
        UInt32(parts[2]) != nil, isOver(process)
      else { continue }
      leftovers.append("\(folder)/\(name)")
    }
    for path in leftovers { remove(path) }
  }

  /// The files that a nursery has, and then the folder: anything else stays.
  private static func remove(_ path: String) {
    unlink(path + "/data.mdb")
    unlink(path + "/lock.mdb")
    rmdir(path)
  }
}
