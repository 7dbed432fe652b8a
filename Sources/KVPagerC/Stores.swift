import CKVPager
import KVPager
import Logging

// kvpager.h, "Store".

@c @implementation
public func kvpager_store_open(
  _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<CChar>!, _ store: UnsafeMutablePointer<kvpager_store>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(store, "store")
    let path = try Argument.text(path, "path")
    guard !path.isEmpty else { throw StoreError.invalidArgument("path is empty; name a folder") }
    let configuration = try StoreConfiguration(options: options)
    let store = try Store(at: path, configuration: configuration)
    // Programs in other languages fork.
    store.awaitThreads()
    result.pointee = try HandleTable.add(OpenStore(store))
  }
}

@c @implementation
public func kvpager_store_close(_ store: kvpager_store) -> kvpager_status {
  answering {
    guard store != 0 else { return }
    try HandleTable.removeScope(of: store, as: OpenStore.self).store.close()
  }
}

@c @implementation
public func kvpager_store_statistics(
  _ store: kvpager_store, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(store, as: OpenStore.self) { try answer.give(try $0.store.statistics().json) }
  }
}

@c @implementation
public func kvpager_store_sessions(
  _ store: kvpager_store, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(store, as: OpenStore.self) { try answer.give(JSONValue(try $0.store.sessions())) }
  }
}

@c @implementation
public func kvpager_store_spaces(
  _ store: kvpager_store, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(store, as: OpenStore.self) { try answer.give(JSONValue(try $0.store.cacheSpaces())) }
  }
}

@c @implementation
public func kvpager_store_write_back(_ store: kvpager_store) -> kvpager_status {
  answering { try HandleTable.use(store, as: OpenStore.self) { try $0.store.writeBack() } }
}

@c @implementation
public func kvpager_store_collect_garbage(
  _ store: kvpager_store, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    try HandleTable.use(store, as: OpenStore.self) {
      let report = try $0.store.collectGarbage()
      if let json { try TextAnswer(json).give(report.json) }
    }
  }
}

@c @implementation
public func kvpager_store_delete_session(_ store: kvpager_store, _ name: UnsafePointer<CChar>!) -> kvpager_status {
  answering {
    let name = try Argument.text(name, "name")
    try HandleTable.use(store, as: OpenStore.self) { try $0.store.deleteSession(named: name) }
  }
}

extension StoreConfiguration {
  /// More than any machine has, and little enough for sums of such sizes.
  private static let byteLimit = 1 << 50
  /// What the processors' address space has room for.
  private static let mapByteRange = 1 << 20...1 << 46

  /// The options of `kvpager_store_open`.
  fileprivate init(options: UnsafePointer<CChar>?) throws(StoreError) {
    var members = try JSONMembers(options, "options")
    // Statuses and messages tell everything: a library prints nothing.
    self.init(logger: Logger(label: "kvpager") { _ in SwiftLogNoOpLogHandler() })
    if let access = try members.choice(
      "access", [("create", Access.readWriteCreating), ("write", .readWrite), ("read", .readOnly)])
    {
      self.access = access
    }
    if let durability = try members.choice(
      "durability", [("full", Durability.full), ("lastCommitMayBeLost", .lastCommitMayBeLost)])
    {
      self.durability = durability
    }
    memoryBudgetBytes = try members.integer("memoryBytes", 1...Self.byteLimit) ?? memoryBudgetBytes
    diskQuotaBytes = try members.integer("quotaBytes", 1...Self.byteLimit)
    loadThreadCount = try members.integer("loadThreads", 0...256) ?? loadThreadCount
    writeBatchBytes = try members.integer("writeBatchBytes", 1...Self.byteLimit) ?? writeBatchBytes
    mapSizeBytes = try members.integer("mapBytes", Self.mapByteRange) ?? mapSizeBytes
    try members.finish()
  }
}
