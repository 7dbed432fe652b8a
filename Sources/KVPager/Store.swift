import KVDiskTier
import KVTiering
import Logging
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A persistent KV-cache store: hot blocks in RAM under a budget, cold ones compressed on disk, sessions that survive a
/// restart.
///
/// Synchronous and thread-safe; the `async` veneer lies beside it. Any number of processes may use one store at once;
/// one process opens it once. After `fork()` the child's copy refuses to work.
public final class Store: Sendable {
  /// The folder that holds the store.
  public let path: String
  public let configuration: StoreConfiguration
  let disk: DiskTier
  let pager: Pager
  private let activity: ActivityPublisher
  let instruments = Instruments()
  let logger: Logger
  private let processID = getpid()
  private let isClosed = Atomic(false)

  /// Opens the store in folder `path`, checking its file first: a damaged one is refused, never used.
  /// - Throws: `notFound`, `notAStore`, `versionTooNew`, `foreignByteOrder`, `damaged`, `busy` (open already in this
  ///   process), `permissionDenied`, `readOnly`, `diskFull`, `invalidArgument`.
  public convenience init(at path: String, configuration: StoreConfiguration = StoreConfiguration()) throws(StoreError)
  {
    try self.init(at: path, configuration: configuration) { $0 }
  }

  /// As `init(at:configuration:)`, with something between the pager and the disk: simulations make it fail.
  package init(
    at path: String, configuration: StoreConfiguration, wrapping wrap: (DiskTier) -> any ColdTier
  ) throws(StoreError) {
    try configuration.validate()
    self.path = path
    self.configuration = configuration
    logger = configuration.logger
    do throws(StoreError) {
      disk = try DiskTier(path: path, options: DiskTierOptions(configuration))
    } catch {
      logger.error(
        "store refused", metadata: ["path": "\(path)", "code": "\(error.code.rawValue)", "error": "\(error)"])
      throw error
    }
    let activity = ActivityPublisher(directory: path, storeID: disk.header.storeID) {
      ActivityPublisher.Opening(
        isReadOnly: configuration.access == .readOnly, quotaBytes: configuration.diskQuotaBytes)
    }
    self.activity = activity
    pager = Pager(
      configuration: PagerConfiguration(
        memoryBudgetBytes: configuration.memoryBudgetBytes, writeBatchBytes: configuration.writeBatchBytes,
        loadThreadCount: configuration.loadThreadCount,
        tellsActivity: { activity.publish($0.counters, $0.usage(budgetBytes: configuration.memoryBudgetBytes)) }),
      cold: wrap(disk))
    logger.debug("store opened", metadata: ["path": "\(path)"])
  }

  deinit {
    guard !isClosed.load(ordering: .acquiring), getpid() == processID else { return }
    do {
      try pager.close()
    } catch {
      logger.error("closing lost cached blocks; committed sessions are whole", metadata: ["error": "\(error)"])
    }
    activity.finish(pager.statistics.counters)
    disk.close()
  }

  /// Writes back what is not on disk yet and closes the files. Every later call throws `closed`. Closing twice is
  /// allowed.
  public func close() throws(StoreError) {
    try checkProcess()
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let outcome: Result<Void, StoreError>
    do throws(StoreError) {
      outcome = .success(try pager.close())
    } catch {
      outcome = .failure(error)
    }
    activity.finish(pager.statistics.counters)
    disk.close()
    try outcome.get()
  }

  /// Returns as soon as the store's threads have begun. One that begins goes through locks of the language's runtime:
  /// in the child of a fork() at that moment they would be held for ever.
  package func awaitThreads() { pager.awaitIdleThreads() }

  func checkUsable() throws(StoreError) {
    try checkProcess()
    guard !isClosed.load(ordering: .acquiring) else {
      throw StoreError(.closed, "the store at \(path) was closed; open it again")
    }
  }

  func checkWritable() throws(StoreError) {
    try checkUsable()
    guard configuration.access != .readOnly else {
      throw StoreError(.readOnly, "the store at \(path) is open for reading; open it for writing")
    }
  }

  private func checkProcess() throws(StoreError) {
    guard getpid() == processID else {
      throw StoreError(.forked, "the store at \(path) was opened before fork(); open it in this process")
    }
  }
}

extension DiskTierOptions {
  fileprivate init(_ configuration: StoreConfiguration) {
    let access: Access =
      switch configuration.access {
      case .readWriteCreating: .readWriteCreating
      case .readWrite: .readWrite
      case .readOnly: .readOnly
      }
    self.init(
      access: access, quotaBytes: configuration.diskQuotaBytes, mapSizeBytes: configuration.mapSizeBytes,
      syncsMetaPage: configuration.durability == .full)
  }
}

// The tiers never import each other; here they meet.
extension DiskTier: ColdTier {}
