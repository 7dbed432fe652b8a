import CKVPager
import Foundation
import Testing

@Suite struct `Handles of the C interface` {
  @Test func `every function of the header that takes a handle is in the table`() throws {
    let header = try String(contentsOfFile: "\(Fixture.root)/Sources/CKVPager/include/kvpager.h", encoding: .utf8)
    let declarations = header.replacing(/\/\*(?:[^*]|\*(?!\/))*\*\//, with: "").matches(of: /(kvpager_\w+)\(([^)]*)\)/)
    #expect(declarations.count > 50)
    for declaration in declarations {
      for kind in ["store", "space", "session", "prefix", "state"]
      where declaration.2.contains(try Regex("kvpager_\(kind) [a-z]")) {
        let isListed = HandleCall.all.contains { $0.function == declaration.1 && $0.kind == kind }
        #expect(isListed, "\(declaration.1) of a \(kind)")
      }
    }
  }

  @Test(arguments: HandleCall.all)
  func `a handle of the right kind is taken`(call: HandleCall) {
    let fixture = Fixture()
    let handles = [
      "store": fixture.store, "space": fixture.space, "session": fixture.session, "prefix": fixture.prefix,
      "state": fixture.state,
    ]
    ok(call.call(fixture, handles[call.kind]!))
  }

  @Test func `handles closed, of another kind or never opened change nothing`() {
    let fixture = Fixture()
    let closed = Fixture()
    for (handle, close) in [
      (closed.session, kvpager_session_close), (closed.prefix, kvpager_prefix_close),
      (closed.space, kvpager_space_close), (closed.state, kvpager_state_close), (closed.store, kvpager_store_close),
    ] {
      ok(close(handle))
      gives(KVPAGER_INVALID_HANDLE, close(handle))
      ok(close(0))
    }
    let open = [
      "store": fixture.store, "space": fixture.space, "session": fixture.session, "prefix": fixture.prefix,
      "state": fixture.state,
    ]
    let dead = [closed.store, closed.space, closed.session, closed.prefix, closed.state]
    for call in HandleCall.all {
      let others = open.filter { $0.key != call.kind }.values
      for handle in others + dead + [1, 7, 8, .max, .max << 3, 1 << 40] {
        gives(KVPAGER_INVALID_HANDLE, call.call(fixture, handle))
        #expect(lastError.contains(call.kind), "\(call): \(lastError)")
      }
      if !call.function.hasSuffix("_close") { gives(KVPAGER_INVALID_HANDLE, call.call(fixture, 0)) }
    }
    #expect(fixture.sessionTokens == fixture.tokens)
    #expect(text { kvpager_store_sessions(fixture.store, $0) }.contains("monday"))
  }

  @Test func `closing a store closes what was opened under it`() {
    let fixture = Fixture()
    ok(kvpager_store_close(fixture.store))
    var count: Int64 = 0
    gives(KVPAGER_INVALID_HANDLE, kvpager_session_tokens(fixture.session, nil, 0, &count))
    gives(KVPAGER_INVALID_HANDLE, kvpager_prefix_prefetch(fixture.prefix))
    gives(KVPAGER_INVALID_HANDLE, kvpager_space_delete_session(fixture.space, "monday"))
    #expect(fixture.tokens.count == Fixture.tokenCount, "a state belongs to no store")
  }

  @Test func `a number is never given twice`() {
    let fixture = Fixture()
    var seen: Set<UInt64> = [fixture.store, fixture.space, fixture.session, fixture.prefix, fixture.state]
    for _ in 0..<100 {
      var space: kvpager_space = 0
      ok(kvpager_session_space(fixture.session, &space))
      #expect(seen.insert(space).inserted)
      ok(kvpager_space_close(space))
    }
  }

  @Test func `errors belong to their thread`() async {
    let fixture = Fixture()
    gives(KVPAGER_NOT_FOUND, kvpager_store_delete_session(fixture.store, "nobody here"))
    let other = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let before = lastError
        gives(KVPAGER_NOT_FOUND, kvpager_store_delete_session(fixture.store, "nobody there"))
        continuation.resume(returning: (before, lastError))
      }
    }
    #expect(other.0 == "")
    #expect(other.1.contains("nobody there"))
  }
}
