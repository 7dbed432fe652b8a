/// How an environment is opened. What LMDB offers and this does not (no sync, writable map) lost data or killed the
/// process on power loss or a full disk.
package struct EnvironmentOptions: Hashable, Sendable {
  package enum Durability: Hashable, Sendable {
    /// A commit returns when data and meta page are on the medium.
    case full
    /// A power loss may undo the last commit, never damage the file. Half the syncs.
    case lastCommitAtRisk
  }

  /// Address space set aside for the file: the most it can grow to. Costs nothing until it is used. A process with less
  /// address space gets a smaller map.
  package var mapByteCount: Int
  package var isReadOnly: Bool
  package var durability: Durability
  package var tableLimit: Int
  package var readerLimit: Int
  /// Permission bits of files that are created.
  package var fileMode: UInt32
  /// False, for readers only: as where the lock file may not be written.
  package var usesLockFile: Bool

  package init(
    mapByteCount: Int = 1 << 40, isReadOnly: Bool = false, durability: Durability = .full, tableLimit: Int = 16,
    readerLimit: Int = 1024, fileMode: UInt32 = 0o644, usesLockFile: Bool = true
  ) {
    self.mapByteCount = mapByteCount
    self.isReadOnly = isReadOnly
    self.durability = durability
    self.tableLimit = tableLimit
    self.readerLimit = readerLimit
    self.fileMode = fileMode
    self.usesLockFile = usesLockFile
  }
}
