import SafeLMDB

/// How a store is opened.
package struct DiskTierOptions: Hashable, Sendable {
  /// Bytes of the file at which blocks that no session refers to are deleted, least recently used first. Nil: no limit.
  package var quotaBytes: Int?
  package var isReadOnly: Bool
  /// Makes a store where there is none: the directory too, its parent must exist.
  package var createsIfMissing: Bool
  /// The most the file can grow to: address space, nothing else.
  package var mapByteCount: Int
  package var durability: EnvironmentOptions.Durability
  package var readerLimit: Int

  package init(
    quotaBytes: Int? = nil, isReadOnly: Bool = false, createsIfMissing: Bool = true, mapByteCount: Int = 1 << 40,
    durability: EnvironmentOptions.Durability = .full, readerLimit: Int = 1024
  ) {
    self.quotaBytes = quotaBytes
    self.isReadOnly = isReadOnly
    self.createsIfMissing = createsIfMissing
    self.mapByteCount = mapByteCount
    self.durability = durability
    self.readerLimit = readerLimit
  }

  var environment: EnvironmentOptions {
    EnvironmentOptions(
      mapByteCount: mapByteCount, isReadOnly: isReadOnly, durability: durability, tableLimit: 8,
      readerLimit: readerLimit)
  }
}
