import SafeLMDB

/// How a store is opened.
package struct DiskTierOptions: Hashable, Sendable {
  package enum Access: Hashable, Sendable {
    /// Makes a store where there is none: the directory too, its parent must exist.
    case readWriteCreating
    case readWrite
    case readOnly
  }

  package var access: Access
  /// Bytes of the file at which blocks that no session refers to are deleted, least recently used first. Nil: no limit.
  package var quotaBytes: Int?
  /// The most that the file can grow to: address space, nothing else.
  package var mapSizeBytes: Int
  /// False: a power loss may undo the last commit whole, for half the syncs.
  package var syncsMetaPage: Bool
  /// Read transactions of all processes at one time.
  package var readerLimit: Int
  /// False: whoever opens the store has had the guard look at the file just now.
  package var guardsFile = true

  package init(
    access: Access = .readWriteCreating, quotaBytes: Int? = nil, mapSizeBytes: Int = 1 << 40,
    syncsMetaPage: Bool = true, readerLimit: Int = 1024
  ) {
    self.access = access
    self.quotaBytes = quotaBytes
    self.mapSizeBytes = mapSizeBytes
    self.syncsMetaPage = syncsMetaPage
    self.readerLimit = readerLimit
  }

  var isReadOnly: Bool { access == .readOnly }

  var environment: EnvironmentOptions {
    EnvironmentOptions(
      mapByteCount: mapSizeBytes, isReadOnly: isReadOnly, durability: syncsMetaPage ? .full : .lastCommitAtRisk,
      tableLimit: 8, readerLimit: readerLimit)
  }
}
