import Testing

@testable import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// An environment's directory, removed with the last reference.
final class EnvironmentDirectory: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/kvpager-lmdb-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) } ?? ""
    }
  }

  deinit {
    unlink(path + "/data.mdb")
    unlink(path + "/lock.mdb")
    rmdir(path)
  }
}

extension Environment {
  func table(_ name: String = "t") throws(LMDBError) -> Table {
    try write { (transaction: inout WriteTransaction) throws(LMDBError) in
      guard let table = try transaction.openTable(name, create: true) else { throw .notFound }
      return table
    }
  }

  func put(_ key: String, _ value: String, in table: Table) throws(LMDBError) {
    try write { (transaction: inout WriteTransaction) throws(LMDBError) in
      let (key, value) = (Array(key.utf8), Array(value.utf8))
      try transaction.put(key.span.bytes, value.span.bytes, in: table)
    }
  }

  func get(_ key: String, in table: Table) throws(LMDBError) -> String? {
    try read { (transaction) throws(LMDBError) in
      let key = Array(key.utf8)
      guard let value = try transaction.value(for: key.span.bytes, in: table) else { return nil }
      return value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
  }

  func readAndDie(_ table: Table) throws(LMDBError) {
    try read { (transaction) throws(LMDBError) in
      _ = try transaction.statistics(of: table)
      kill(getpid(), SIGKILL)
    }
  }

  func keys(in table: Table, from start: String? = nil) throws(LMDBError) -> [String] {
    try read { (transaction) throws(LMDBError) in
      var keys: [String] = []
      let first = Array((start ?? "").utf8)
      try transaction.forEach(in: table, from: start == nil ? nil : first.span.bytes) { (key, _) throws(LMDBError) in
        keys.append(key.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        return keys.count < 3
      }
      return keys
    }
  }
}

struct EnvironmentTests {
  private let directory = EnvironmentDirectory()

  @Test func `what was committed is there after closing and opening`() throws {
    do {
      let environment = try Environment(path: directory.path)
      try environment.put("key", "value", in: try environment.table())
    }
    let environment = try Environment(path: directory.path)
    #expect(try environment.get("key", in: try environment.table()) == "value")
    #expect(try environment.get("other", in: try environment.table()) == nil)
  }

  @Test func `a body that throws leaves nothing behind and the next writer begins`() throws {
    let environment = try Environment(path: directory.path)
    let table = try environment.table()
    let error = #expect(throws: LMDBError.self) {
      try environment.write { (transaction: inout WriteTransaction) throws(LMDBError) in
        let key: [UInt8] = [1]
        try transaction.put(key.span.bytes, key.span.bytes, in: table)
        throw .noSpace
      }
    }
    #expect(error == .noSpace)
    #expect(try environment.keys(in: table) == [])
    try environment.put("key", "value", in: table)
    #expect(try environment.keys(in: table) == ["key"])
  }

  @Test func `entries come in order from the key asked for, until the visitor has enough`() throws {
    let environment = try Environment(path: directory.path)
    let table = try environment.table()
    for key in ["d", "a", "c", "b", "e"] { try environment.put(key, key, in: table) }
    #expect(try environment.keys(in: table) == ["a", "b", "c"])
    #expect(try environment.keys(in: table, from: "bb") == ["c", "d", "e"])
    #expect(try environment.keys(in: table, from: "f") == [])
    let last = try environment.read { (transaction) throws(LMDBError) in
      try transaction.withLast(in: table) { (key, _) throws(LMDBError) in key.unsafeLoad(as: UInt8.self) }
    }
    #expect(last == UInt8(ascii: "e"))
  }

  @Test func `a file is open once in a process, under whatever name`() throws {
    let environment = try Environment(path: directory.path)
    let link = directory.path + "-link"
    symlink(directory.path, link)
    defer { unlink(link) }
    let error = #expect(throws: LMDBError.self) { try Environment(path: link) }
    #expect(error == .alreadyOpen)
    environment.close()
    _ = try Environment(path: directory.path)
  }

  @Test func `an environment that does not open leaves no file open`() async throws {
    let path = directory.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      var limit = rlimit(rlim_cur: 64, rlim_max: 64)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      for _ in 0..<200 { #expect(throws: LMDBError.self) { try Environment(path: path + "/none") } }
      // Zeros are no LMDB file.
      let file = open(path + "/data.mdb", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
      ftruncate(file, 1 << 16)
      for _ in 0..<200 { #expect(throws: LMDBError.invalid) { try Environment(path: path) } }
      ftruncate(file, 0)
      close(file)
      _ = try Environment(path: path)
    }
  }

  // The sanitizers' own memory takes more address space than this test leaves.
  @Test(.enabled(if: getenv("KVPAGER_SANITIZER") == nil))
  func `a map larger than the address space becomes one that fits`() async throws {
    let path = directory.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      // No processor has so much; a limit works alike, at a size that the tests themselves do not need.
      for (wanted, limit) in [(1 << 60, 1 << 62), (1 << 40, 1 << 36)] {
        var room = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(1 << 62))
        getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &room)
        room.rlim_cur = min(rlim_t(limit), room.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &room)
        let environment = try Environment(path: path, options: EnvironmentOptions(mapByteCount: wanted))
        let mapByteCount = try environment.info().mapByteCount
        #expect(mapByteCount < limit / 2)
        #expect(mapByteCount >= 1 << 30)
        try environment.put("key", "value", in: try environment.table())
        environment.close()
      }
    }
  }

  @Test func `a closed environment refuses every call`() throws {
    let environment = try Environment(path: directory.path)
    let table = try environment.table()
    environment.close()
    environment.close()
    #expect(throws: LMDBError.closed) { try environment.get("key", in: table) }
    #expect(throws: LMDBError.closed) { try environment.put("key", "value", in: table) }
    #expect(throws: LMDBError.closed) { try environment.info() }
    #expect(environment.clearStaleReaders() == 0)
  }

  @Test func `read transactions are used again and pin nothing between uses`() throws {
    let environment = try Environment(path: directory.path)
    let table = try environment.table()
    for round in 0..<200 {
      try environment.put("key", "\(round)", in: table)
      #expect(try environment.get("key", in: table) == "\(round)")
    }
    let info = try environment.info()
    #expect(info.readerSlotCount == 1)
    #expect(info.pageCount < 20)
  }

  @Test func `a file that another process grew past this one's map is read on`() async throws {
    let environment = try Environment(path: directory.path, options: EnvironmentOptions(mapByteCount: 1 << 20))
    let table = try environment.table()
    let path = directory.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      let environment = try Environment(path: path, options: EnvironmentOptions(mapByteCount: 1 << 26))
      let table = try environment.table()
      let large = String(repeating: "x", count: 100_000)
      for index in 0..<40 { try environment.put("key \(index)", large, in: table) }
    }
    #expect(try environment.get("key 39", in: table)?.utf8.count == 100_000)
    try environment.put("key 40", "mine", in: table)
    #expect(try environment.get("key 40", in: table) == "mine")
  }

  @Test func `a reader that died is forgotten at the next opening`() async throws {
    let path = directory.path
    let environment = try Environment(path: path)
    _ = try environment.table()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let environment = try Environment(path: path)
      try environment.readAndDie(try environment.table())
    }
    #expect(environment.clearStaleReaders() == 1)
    #expect(environment.clearStaleReaders() == 0)
  }

  @Test func `a full map is an error and the next transaction works`() throws {
    let environment = try Environment(path: directory.path, options: EnvironmentOptions(mapByteCount: 1 << 18))
    let table = try environment.table()
    #expect(throws: LMDBError.mapFull) {
      try environment.put("large", String(repeating: "x", count: 1 << 20), in: table)
    }
    try environment.put("small", "x", in: table)
    #expect(try environment.get("small", in: table) == "x")
  }

  @Test func `threads read and write at one time`() async throws {
    let environment = try Environment(path: directory.path)
    let table = try environment.table()
    await withTaskGroup(of: Int.self) { group in
      for worker in 0..<4 {
        group.addTask {
          var seen = 0
          for round in 0..<100 {
            if worker == 0 { try? environment.put("key", "\(round)", in: table) }
            if let value = try? environment.get("key", in: table), Int(value) != nil { seen += 1 }
          }
          return seen
        }
      }
      for await _ in group {}
    }
    #expect(try environment.get("key", in: table) == "99")
  }
}
