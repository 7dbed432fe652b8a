import Logging

/// What a store may use and how it behaves. Every field has a default that suits one process on one machine.
public struct StoreConfiguration: Sendable {
  public enum Access: Hashable, Sendable {
    /// Opens a store, making it (and its folder) where there is none.
    case readWriteCreating
    /// Opens a store that exists: `notFound` otherwise.
    case readWrite
    /// Opens a store that exists and never writes to it.
    case readOnly
  }

  public enum Durability: Hashable, Sendable {
    /// A commit is on the disk when it returns (two syncs).
    case full
    /// One sync a commit: a power loss may undo the last commit, whole; it never damages the store.
    case lastCommitMayBeLost
  }

  public var access: Access
  /// Bytes of decoded blocks in RAM at most. The OS page cache keeps compressed ones beside it, for free.
  public var memoryBudgetBytes: Int
  /// Bytes on disk at most, nil for no limit. Unreferenced blocks leave first; sessions' blocks never do.
  public var diskQuotaBytes: Int?
  public var durability: Durability
  /// Blocks are written back in batches of about this many bytes of frames in RAM.
  public var writeBatchBytes: Int
  /// Threads that load and decode blocks besides the caller's own.
  public var loadThreadCount: Int
  /// Address space for the environment's map; it costs nothing until used.
  public var mapSizeBytes: Int
  public var logger: Logger

  public init(
    access: Access = .readWriteCreating, memoryBudgetBytes: Int = 1 << 30, diskQuotaBytes: Int? = nil,
    durability: Durability = .full, writeBatchBytes: Int = 64 << 20, loadThreadCount: Int = 2,
    mapSizeBytes: Int = 1 << 40, logger: Logger = Logger(label: "kvpager")
  ) {
    self.access = access
    self.memoryBudgetBytes = memoryBudgetBytes
    self.diskQuotaBytes = diskQuotaBytes
    self.durability = durability
    self.writeBatchBytes = writeBatchBytes
    self.loadThreadCount = loadThreadCount
    self.mapSizeBytes = mapSizeBytes
    self.logger = logger
  }

  func validate() throws(StoreError) {
    guard memoryBudgetBytes > 0 else {
      throw .invalidArgument("a RAM budget of \(memoryBudgetBytes) bytes; give at least one block's size")
    }
    if let diskQuotaBytes, diskQuotaBytes <= 0 {
      throw .invalidArgument("a disk quota of \(diskQuotaBytes) bytes; leave it out for no limit")
    }
    guard writeBatchBytes > 0 else { throw .invalidArgument("a write batch of \(writeBatchBytes) bytes") }
    guard (0...256).contains(loadThreadCount) else {
      throw .invalidArgument("\(loadThreadCount) load threads; give 0 to 256")
    }
  }
}
