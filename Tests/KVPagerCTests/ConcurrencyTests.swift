import CKVPager
import Foundation
import Synchronization
import Testing

@Suite struct `The C interface on many threads` {
  @Test(arguments: 0..<8)
  func `a store is closed while others call`(round: Int) {
    let fixture = Fixture(options: #"{"memoryBytes": 2000000, "durability": "lastCommitMayBeLost"}"#)
    let calls = HandleCall.all.filter { !$0.function.hasSuffix("_close") }
    let handles = [
      "store": fixture.store, "space": fixture.space, "session": fixture.session, "prefix": fixture.prefix,
      "state": fixture.state,
    ]
    let isClosed = Atomic(false)
    let refused = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      if thread == 0 {
        for call in calls.prefix(6 * round) { _ = call.call(fixture, handles[call.kind]!) }
        ok(kvpager_store_close(fixture.store))
        return isClosed.store(true, ordering: .releasing)
      }
      for index in 0..<100 * calls.count where index % 3 == thread - 1 {
        let call = calls[index % calls.count]
        let wasClosed = isClosed.load(ordering: .acquiring)
        let status = Int(call.call(fixture, handles[call.kind]!))
        // Whatever the calls do to each other's sessions, the close itself shows as nothing else.
        #expect(status != KVPAGER_CLOSED && status != KVPAGER_INPUT_OUTPUT, "\(call): \(lastError)")
        if wasClosed, call.kind != "state" { #expect(status == KVPAGER_INVALID_HANDLE, "\(call)") }
        if status == KVPAGER_INVALID_HANDLE { refused.wrappingAdd(1, ordering: .relaxed) }
        if wasClosed { break }
      }
    }
    var again: kvpager_store = 0
    ok(kvpager_store_open(fixture.folder.store, nil, &again))
    ok(kvpager_store_close(again))
  }

  @Test func `one session is read while it grows and is cut`() {
    let fixture = Fixture()
    let tokens = fixture.tokens
    DispatchQueue.concurrentPerform(iterations: 3) { thread in
      for index in 0..<60 {
        switch thread {
        case 0:
          // The first 8 tokens stay.
          ok(kvpager_session_truncate(fixture.session, Int64(8 + index % 5)))
          ok(kvpager_session_take_state(fixture.session, fixture.state, kvpager_sharing(KVPAGER_BY_CONTENT)))
          if index % 10 == 0 { ok(kvpager_session_commit(fixture.session)) }
        case 1:
          let first = fixture.withRows(tokenCount: 8) { ok(kvpager_session_read(fixture.session, 0, 8, $0, $1)) }
          let second = fixture.withRows(tokenCount: 8) { ok(readPrefix(fixture, $0, $1)) }
          #expect(first == second)
        default:
          var size: Int64 = 0
          ok(kvpager_session_export(fixture.session, -1, nil, nil, 0, &size))
          var bytes = [UInt8](repeating: 0, count: Int(size))
          let status = kvpager_session_export(fixture.session, -1, nil, &bytes, size, &size)
          #expect([KVPAGER_OK, KVPAGER_BUFFER_TOO_SMALL].contains(Int(status)))
        }
      }
    }
    #expect(fixture.sessionTokens == tokens)
  }

  @Test func `a state's bytes are the caller's again when its close returns`() throws {
    let file = try [UInt8](Data(contentsOf: URL(filePath: Fixture.samplePath)))
    let fixture = Fixture()
    for _ in 0..<20 {
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: file.count, alignment: 1)
      bytes.copyBytes(from: file)
      var state: kvpager_state = 0
      ok(kvpager_state_open(bytes.baseAddress, Int64(bytes.count), nil, 0, &state))
      let handle = state
      let source = UInt(bitPattern: bytes.baseAddress)
      DispatchQueue.concurrentPerform(iterations: 2) { thread in
        if thread == 0 {
          ok(kvpager_state_close(handle))
          memset(UnsafeMutableRawPointer(bitPattern: source)!, 0xff, file.count)
        } else {
          let status = kvpager_space_insert_state(fixture.space, handle, kvpager_sharing(KVPAGER_BY_CONTENT))
          #expect([KVPAGER_OK, KVPAGER_INVALID_HANDLE].contains(Int(status)), "\(lastError)")
        }
      }
      bytes.deallocate()
    }
    // Content-checked each time: had a call read what the caller wrote after the close, a variant would be stored.
    ok(kvpager_store_write_back(fixture.store))
    let blockCount = Fixture.tokenCount / 4
    #expect(text { kvpager_store_statistics(fixture.store, $0) }.contains("\"unique\":\(blockCount)}"))
  }
}

private func readPrefix(
  _ fixture: Fixture, _ rows: UnsafePointer<kvpager_rows>, _ count: Int64
) -> kvpager_status {
  var read: Int64 = 0
  let status = kvpager_prefix_read(fixture.prefix, 0, 8, rows, count, &read)
  #expect(read == 8)
  return status
}
