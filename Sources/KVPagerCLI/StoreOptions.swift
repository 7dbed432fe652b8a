import ArgumentParser
import KVInspection
import KVPager
import Logging

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which store a command means.
struct StoreLocation: ParsableArguments {
  static let pathVariable = "KVPAGER_STORE"

  @Option(
    name: .customLong("store"),
    help: ArgumentHelp("The store's folder (or set \(pathVariable)).", valueName: "dir"),
    completion: .directory)
  var givenPath: String?

  mutating func validate() throws {
    guard let path, !path.isEmpty else {
      throw ValidationError("No store is given: add --store <dir> or set \(Self.pathVariable).")
    }
  }

  private var path: String? { Self.path(given: givenPath) }

  static func path(given: String?) -> String? { given ?? variable(pathVariable) }

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// The store's folder. Only after `validate()`.
  var storePath: String { path ?? "" }

  /// Reads the store offline, also a damaged one.
  /// - Parameter givesWay: the process lets those that use the store have the processor first.
  /// - Throws: `notFound` where there is none.
  func inspector(givesWay: Bool = true) throws(StoreError) -> StoreInspector {
    try Self.requireStore(storePath)
    if givesWay { ProcessSetup.giveWay() }
    return StoreInspector(path: storePath)
  }

  /// Whether it is a good store is for others to say.
  static func requireStore(_ path: String) throws(StoreError) {
    var status = stat()
    guard stat("\(path)/data.mdb", &status) != 0, errno == ENOENT || errno == ENOTDIR else { return }
    throw StoreError(.notFound, "there is no store at \(path); check --store, or make one with `kvpager import`")
  }

  static func isStore(_ path: String) -> Bool {
    var status = stat()
    return stat("\(path)/data.mdb", &status) == 0
  }
}

/// How much of the disk the store may take.
struct QuotaOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Disk for the store at most; unreferenced blocks leave first, sessions' never do.", valueName: "size"))
  var quota: ByteSize?

  mutating func validate() throws {
    if let quota, quota.byteCount == 0 {
      throw ValidationError("--quota 0: leave the option out for no limit.")
    }
  }

  var byteCount: Int? { quota?.byteCount }
}

/// What a command is told that opens its store for use.
struct StoreOptions: ParsableArguments {
  @OptionGroup(title: "Store") var location: StoreLocation

  @Option(
    help: ArgumentHelp(
      "RAM for decoded blocks at most: 64MiB, 1.5GiB, 500MB or plain bytes.", valueName: "size"))
  var memory = ByteSize(1 << 30)

  @OptionGroup(title: "Store") var quota: QuotaOption

  mutating func validate() throws {
    guard memory.byteCount > 0 else { throw ValidationError("--memory 0: give at least one block's size.") }
  }

  /// Opens the store, runs `body`, and closes it again, whatever happens.
  func withStore<R>(_ access: StoreConfiguration.Access, _ body: (Store) throws -> R) throws -> R {
    let path = location.storePath
    if access != .readWriteCreating { try StoreLocation.requireStore(path) }
    // The command says itself what went wrong, once: the store's log stays silent.
    let quiet = Logger(label: "kvpager") { _ in SwiftLogNoOpLogHandler() }
    let store = try Store(
      at: path,
      configuration: StoreConfiguration(
        access: access, memoryBudgetBytes: memory.byteCount, diskQuotaBytes: quota.byteCount, logger: quiet))
    let result: R
    do {
      result = try body(store)
    } catch {
      try? store.close()
      throw error
    }
    try store.close()
    return result
  }
}

/// How a command answers.
struct OutputOptions: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Answer in JSON.")
  var isJSON = false
}

/// Which of several sessions of one name is meant.
struct SpaceOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("The session's cache space, where several have the name.", valueName: "id"),
    completion: .custom(ValueCompletion.spaces))
  var space: UInt32?

  var identifier: SpaceID? { space.map { SpaceID(rawValue: $0) } }

  func session(named name: String, in store: Store) throws(StoreError) -> Session {
    guard let identifier else { return try store.session(named: name) }
    return try store.cacheSpace(identifier).session(named: name)
  }
}
