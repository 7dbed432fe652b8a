import KVPager
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

@Suite struct LifecycleTests {
  @Test func `a store is open once in a process`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let error = #expect(throws: StoreError.self) { _ = try rig.open() }
    #expect(error?.code == .busy)
    try store.close()
    try rig.open().close()
  }

  @Test func `a closed store says so`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    try store.close()
    try store.close()
    let error = #expect(throws: StoreError.self) { _ = try store.sessions() }
    #expect(error?.code == .closed)
    let other = #expect(throws: StoreError.self) { _ = try space.longestPrefix(of: [1]).tokenCount }
    #expect(other?.code == .closed)
  }

  @Test func `a store that is not there is made, or not, as asked`() throws {
    let rig = try Rig()
    for access in [StoreConfiguration.Access.readOnly, .readWrite] {
      let error = #expect(throws: StoreError.self) { _ = try rig.open(access: access) }
      #expect(error?.code == .notFound)
    }
    try rig.open().close()
    try rig.open(access: .readWrite).close()
  }

  @Test func `a store open for reading gives everything and takes nothing`() throws {
    let rig = try Rig()
    let first = try rig.open()
    let session = try rig.space(first).createSession(named: "chat")
    try rig.append(tokens(0..<30), to: session)
    try session.commit()
    try first.close()
    let store = try rig.open(access: .readOnly)
    let resumed = try store.session(named: "chat")
    #expect(try rig.isWhole(resumed))
    #expect(try rig.space(store).longestPrefix(of: tokens(0..<50)).lease().tokenCount == 30)
    let refusals: [() throws -> Void] = [
      { _ = try rig.space(store).createSession(named: "new") },
      { try rig.append(tokens(30..<40), to: resumed) },
      { try resumed.commit() },
      { try store.deleteSession(named: "chat") },
      { _ = try store.collectGarbage() },
    ]
    for refusal in refusals {
      let error = #expect(throws: StoreError.self) { try refusal() }
      #expect(error?.code == .readOnly)
    }
    try store.close()
  }

  @Test func `an empty file and a foreign file are no stores`() throws {
    for content in ["", "not a store", String(repeating: "x", count: 100_000)] {
      let rig = try Rig()
      mkdir(rig.path, 0o755)
      let file = fopen("\(rig.path)/data.mdb", "w")
      fputs(content, file)
      fclose(file)
      let error = #expect(throws: StoreError.self) { _ = try rig.open() }
      #expect([.notAStore, .damaged].contains(error?.code))
    }
  }

  @Test func `after fork() the store refuses to work`() async {
    await #expect(processExitsWith: .success) {
      let rig = try Rig()
      let store = try rig.open()
      let session = try rig.space(store).createSession(named: "chat")
      try rig.append(tokens(0..<30), to: session)
      try session.commit()
      // Swift hides fork(); the child only asks the store and leaves.
      let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "fork")
      let fork = unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)
      let child = fork()
      if child == 0 {
        var code: StoreError.Code?
        do {
          // The child's last references go here, and must not wait for threads that it does not have.
          let (inherited, resumed) = (consume store, consume session)
          do {
            _ = try inherited.sessions()
          } catch let error as StoreError {
            code = error.code
          } catch {}
          _ = resumed.tokenCount
        }
        _exit(code == .forked ? 0 : 2)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      exit(status == 0 ? 0 : 1)
    }
  }

  @Test func `the async veneer gives what the calls behind it give`() async throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    let session = try space.createSession(named: "chat")
    let states = rig.rows.states(of: tokens(0..<30))
    try await session.append(tokens(0..<30)) { writer in
      for plane in rig.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rig.rows.fill($0, plane: plane, states: states[writer.tokens]) }
      }
    }
    try await session.commit()
    let prefix = try await space.longestPrefix(of: tokens(0..<40))
    #expect(prefix.tokenCount == 30)
    let lease = try await session.lease()
    #expect(lease.tokenCount == 30)
    let resumed: Session = try await space.session(named: "chat")
    #expect(try rig.isWhole(resumed))
    try await store.writeBack()
    try await store.close()
  }
}
