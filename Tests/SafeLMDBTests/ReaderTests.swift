import Testing

@testable import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

@Suite struct ReaderTests {
  private let directory = EnvironmentDirectory()

  @Test func `a reader that died is seen at the next opening, with what it pinned`() async throws {
    let path = directory.path
    let environment = try Environment(path: path)
    let table = try environment.table()
    try environment.put("key", "value", in: table)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let environment = try Environment(path: path)
      try environment.readAndDie(try environment.table())
    }
    // This process still sees the dead one; one that opens now tells it from the living and frees its slot.
    let dead = try #require(try environment.readers().first)
    #expect(dead.processID != getpid() && dead.snapshot != nil)
    await #expect(processExitsWith: .success) { [path = path as String] in
      let readers = try Environment(path: path).readersAtOpening
      #expect(readers.count(where: { !$0.isAlive && $0.snapshot != nil }) == 1)
    }
    #expect(try environment.readers().isEmpty)
  }

  @Test(arguments: [
    ("     42 7f00 17\n", EnvironmentReader(processID: 42, snapshot: 17)),
    ("     42 7f00 -\n", EnvironmentReader(processID: 42, snapshot: nil)),
    ("    pid     thread     txnid\n", nil), ("(no active readers)\n", nil), ("", nil), ("-1 0 3\n", nil),
  ])
  func `LMDB's list of readers is read line by line`(line: String, reader: EnvironmentReader?) {
    #expect(EnvironmentReader(line: line) == reader)
  }
}
