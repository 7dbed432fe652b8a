import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

struct OpeningTests {
  private func code(_ path: String, _ options: DiskTierOptions = DiskTierOptions()) -> StoreError.Code? {
    do throws(StoreError) {
      _ = try DiskTier(path: path, options: options)
      return nil
    } catch {
      return error.code
    }
  }

  /// A closed store in its directory.
  private func makeStore() throws -> StoreDirectory {
    let store = try TestStore()
    try store.store(store.chain(tokens(0..<64)))
    store.tier.close()
    return store.directory
  }

  @Test func `a new store appears whole and leaves nothing beside it`() throws {
    let directory = StoreDirectory()
    let path = directory.path + "/store"
    let tier = try DiskTier(path: path)
    #expect(tier.header.formatVersion == 1)
    #expect(tier.header.storeID.count == 16)
    #expect(try tier.audit(deep: true) == [])
    #expect(Set(try #require(opendirNames(path))) == ["data.mdb", "lock.mdb"])
  }

  private func opendirNames(_ path: String) -> [String]? {
    guard let stream = opendir(path) else { return nil }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  @Test func `a store that may not be made is not found`() {
    let directory = StoreDirectory()
    #expect(code(directory.path, DiskTierOptions(access: .readWrite)) == .notFound)
    #expect(code(directory.path, DiskTierOptions(access: .readOnly)) == .notFound)
    #expect(code(directory.path + "/a/b") == .notFound)
    #expect(directory.entryNames == [])
  }

  @Test func `an empty file is refused and stays as it is`() {
    let directory = StoreDirectory()
    directory.write([], to: "data.mdb")
    #expect(code(directory.path) == .damaged)
    #expect(directory.contents() == [])
  }

  @Test func `a file that is no store is refused and stays as it is`() throws {
    let directory = StoreDirectory()
    let text = Array(String(repeating: "A file of another kind. ", count: 1000).utf8)
    directory.write(text, to: "data.mdb")
    #expect(code(directory.path) == .notAStore)
    #expect(directory.contents() == text)
    #expect(code(directory.dataPath) == .notAStore)
    let other = StoreDirectory()
    do {
      let environment = try Environment(path: other.path)
      try environment.write { (transaction: inout WriteTransaction) throws(LMDBError) in
        _ = try transaction.openTable("accounts", create: true)
      }
    }
    #expect(code(other.path) == .notAStore)
  }

  @Test func `a store of a newer format is refused`() throws {
    let directory = try makeStore()
    try change(directory) { header in
      header.formatVersion = 2
    }
    #expect(code(directory.path) == .versionTooNew)
    #expect(code(directory.path, DiskTierOptions(access: .readOnly)) == .versionTooNew)
  }

  private func change(_ directory: StoreDirectory, _ body: (inout StoreHeader) -> Void) throws {
    let environment = try Environment(path: directory.path)
    defer { environment.close() }
    try environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      let meta: Table?
      do throws(LMDBError) {
        meta = try transaction.openTable(TableName.meta, create: false)
      } catch { throw StoreError(error) }
      guard let meta else { throw StoreError(.notFound, "meta") }
      var header = StoreHeader(formatVersion: 1, storeID: Array(repeating: 1, count: 16), createdMicroseconds: 5)
      body(&header)
      try transaction.write(StoreHeader.key, header.encoded(), in: meta)
    }
  }

  @Test func `a store of the other byte order is refused`() throws {
    let directory = try makeStore()
    let magic = Array(directory.contents()[16..<20])
    for page in 0..<2 { directory.overwrite(at: page * 4096 + 16, with: magic.reversed()) }
    #expect(code(directory.path) == .foreignByteOrder)
  }

  @Test func `a file that was cut off is refused before it can end the process`() throws {
    for keep in [10, 5000, 20_000] {
      let directory = try makeStore()
      directory.write(Array(directory.contents().prefix(keep)), to: "data.mdb")
      #expect(code(directory.path) == .damaged)
    }
  }

  @Test func `a store is open once in a process, and again after it was closed`() throws {
    let store = try TestStore()
    #expect(code(store.directory.path) == .busy)
    store.tier.close()
    #expect(code(store.directory.path) == nil)
    let error = #expect(throws: StoreError.self) { try store.tier.spaces() }
    #expect(error?.code == .closed)
  }

  @Test func `a store that is open for reading reads and refuses to write`() throws {
    var store = try TestStore()
    let chain = store.chain(tokens(0..<64))
    try store.store(chain)
    try store.reopen(options: DiskTierOptions(access: .readOnly))
    for block in chain { #expect(try store.isWhole(block)) }
    for attempt in [
      { _ = try store.store(chain) }, { _ = try store.commit() },
      { _ = try store.tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false }) },
      { _ = try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "new"), layout: store.layout) },
    ] as [() throws -> Void] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.code == .readOnly)
    }
    #expect(
      try store.tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "test"), layout: store.layout)
        == store.space)
  }

  @Test func `a map that is too large for the address space becomes one that fits`() throws {
    let store = try TestStore(options: DiskTierOptions(mapSizeBytes: 1 << 60))
    let chain = store.chain(tokens(0..<16))
    try store.store(chain)
    #expect(try store.isWhole(chain[0]))
  }

  @Test func `two processes share one store while both have it open`() async throws {
    let store = try TestStore()
    let chain = store.chain(tokens(0..<48))
    try store.store([chain[0]])
    let path = store.directory.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readWrite))
      let space = try tier.spaces()[0]
      let other = TestStore(path: path, tier: tier, space: space)
      let chain = other.chain(tokens(0..<48))
      guard try other.isWhole(chain[0]) else { exit(1) }
      try other.store(Array(chain.dropFirst()))
      _ = try other.commit(other.put("theirs", tokens(0..<48)))
    }
    for block in chain { #expect(try store.isWhole(block)) }
    #expect(try store.tier.session(space: store.space.id, name: "theirs")?.blocks == chain.map(\.key.hash))
    #expect(try store.tier.audit(deep: true) == [])
  }
}
