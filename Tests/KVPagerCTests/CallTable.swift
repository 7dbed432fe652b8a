import CKVPager

/// A function and one of its handle arguments; everything else is as it should be.
struct HandleCall: Sendable, CustomStringConvertible {
  let function: String
  let kind: String
  let call: @Sendable (Fixture, UInt64) -> kvpager_status

  var description: String { "\(function) of a \(kind)" }

  init(_ function: String, _ kind: String, _ call: @escaping @Sendable (Fixture, UInt64) -> kvpager_status) {
    self.function = function
    self.kind = kind
    self.call = call
  }

  private static let identity = kvpager_sharing(KVPAGER_BY_IDENTITY)

  /// Calls with a place for an answer of some kind.
  private static func answer<T>(
    _ initial: T, _ call: (UnsafeMutablePointer<T>?) -> kvpager_status
  ) -> kvpager_status {
    var answer = initial
    return call(&answer)
  }

  private static func json(
    _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> kvpager_status
  ) -> kvpager_status {
    var text: UnsafeMutablePointer<CChar>?
    defer { kvpager_free(text) }
    return call(&text)
  }

  private static func rows(
    _ fixture: Fixture, _ call: (UnsafePointer<kvpager_rows>?, Int64) -> kvpager_status
  ) -> kvpager_status {
    var status: kvpager_status = 0
    fixture.withRows(tokenCount: 4) { status = call($0, $1) }
    return status
  }

  static let all: [HandleCall] = stores + spaces + prefixes + sessions + records + states

  private static let stores: [HandleCall] = [
    HandleCall("kvpager_store_close", "store") { kvpager_store_close($1) },
    HandleCall("kvpager_store_statistics", "store") { _, h in json { kvpager_store_statistics(h, $0) } },
    HandleCall("kvpager_store_sessions", "store") { _, h in json { kvpager_store_sessions(h, $0) } },
    HandleCall("kvpager_store_spaces", "store") { _, h in json { kvpager_store_spaces(h, $0) } },
    HandleCall("kvpager_store_write_back", "store") { kvpager_store_write_back($1) },
    HandleCall("kvpager_store_collect_garbage", "store") { kvpager_store_collect_garbage($1, nil) },
    HandleCall("kvpager_store_delete_session", "store") { kvpager_store_delete_session($1, "monday") },
    HandleCall("kvpager_session_resume", "store") { _, h in answer(0) { kvpager_session_resume(h, "monday", $0) } },
    HandleCall("kvpager_space_open_id", "store") { _, h in answer(0) { kvpager_space_open_id(h, 1, $0) } },
    HandleCall("kvpager_space_open", "store") { _, h in
      let planes = #"[{"kind": "keys", "layer": 0, "type": "f16", "rowBytes": 2}]"#
      return answer(0) { kvpager_space_open(h, #"{"model": "m", "planes": \#(planes)}"#, $0) }
    },
  ]

  private static let spaces: [HandleCall] = [
    HandleCall("kvpager_space_describe", "space") { _, h in json { kvpager_space_describe(h, $0) } },
    HandleCall("kvpager_space_insert", "space") { fixture, h in
      rows(fixture) { kvpager_space_insert(h, fixture.tokens, 4, $0, $1, identity) }
    },
    HandleCall("kvpager_space_insert_state", "space") { kvpager_space_insert_state($1, $0.state, identity) },
    HandleCall("kvpager_space_longest_checkpoint", "space") { _, h in
      json { kvpager_space_longest_checkpoint(h, [1], 1, $0) }
    },
    HandleCall("kvpager_space_resume", "space") { _, h in answer(0) { kvpager_space_resume(h, "monday", $0) } },
    HandleCall("kvpager_space_delete_session", "space") { kvpager_space_delete_session($1, "monday") },
    HandleCall("kvpager_space_close", "space") { kvpager_space_close($1) },
    HandleCall("kvpager_prefix_find", "space") { fixture, h in
      answer(0) { kvpager_prefix_find(h, fixture.tokens, 16, $0, nil) }
    },
    HandleCall("kvpager_session_create", "space") { _, h in
      answer(0) { kvpager_session_create(h, "tuesday", 0, nil, 0, $0) }
    },
  ]

  private static let prefixes: [HandleCall] = [
    HandleCall("kvpager_session_create", "prefix") { fixture, h in
      // 0 means no prefix here.
      answer(0) { kvpager_session_create(fixture.space, "tuesday", h == 0 ? 1 << 60 : h, fixture.tokens, 16, $0) }
    },
    HandleCall("kvpager_prefix_describe", "prefix") { _, h in json { kvpager_prefix_describe(h, $0) } },
    HandleCall("kvpager_prefix_read", "prefix") { fixture, h in
      rows(fixture) { rows, count in answer(0) { kvpager_prefix_read(h, 0, 4, rows, count, $0) } }
    },
    HandleCall("kvpager_prefix_prefetch", "prefix") { kvpager_prefix_prefetch($1) },
    HandleCall("kvpager_prefix_export", "prefix") { _, h in
      answer(0) { kvpager_prefix_export(h, -1, nil, nil, 0, $0) }
    },
    HandleCall("kvpager_prefix_close", "prefix") { kvpager_prefix_close($1) },
  ]

  private static let sessions: [HandleCall] = [
    HandleCall("kvpager_session_space", "session") { _, h in answer(0) { kvpager_session_space(h, $0) } },
    HandleCall("kvpager_session_tokens", "session") { _, h in answer(0) { kvpager_session_tokens(h, nil, 0, $0) } },
    HandleCall("kvpager_session_append", "session") { fixture, h in
      rows(fixture) { kvpager_session_append(h, [1, 2, 3, 4], 4, $0, $1, identity) }
    },
    HandleCall("kvpager_session_take_state", "session") { kvpager_session_take_state($1, $0.state, identity) },
    HandleCall("kvpager_session_read", "session") { fixture, h in
      rows(fixture) { kvpager_session_read(h, 0, 4, $0, $1) }
    },
    HandleCall("kvpager_session_prefetch", "session") { kvpager_session_prefetch($1) },
    HandleCall("kvpager_session_commit", "session") { kvpager_session_commit($1) },
    HandleCall("kvpager_session_fork", "session") { _, h in answer(0) { kvpager_session_fork(h, "branch", -1, $0) } },
    HandleCall("kvpager_session_truncate", "session") { kvpager_session_truncate($1, 3) },
    HandleCall("kvpager_session_close", "session") { kvpager_session_close($1) },
  ]

  private static let records: [HandleCall] = [
    HandleCall("kvpager_session_describe", "session") { _, h in json { kvpager_session_describe(h, $0) } },
    HandleCall("kvpager_session_rename", "session") { kvpager_session_rename($1, "wednesday") },
    HandleCall("kvpager_session_set_metadata", "session") { kvpager_session_set_metadata($1, "a", "b") },
    HandleCall("kvpager_session_set_expiry", "session") { kvpager_session_set_expiry($1, -1) },
    HandleCall("kvpager_session_set_checkpoint", "session") { kvpager_session_set_checkpoint($1, nil, 0) },
    HandleCall("kvpager_session_checkpoint", "session") { _, h in
      answer(0) { kvpager_session_checkpoint(h, nil, 0, $0) }
    },
    HandleCall("kvpager_session_export", "session") { _, h in
      answer(0) { kvpager_session_export(h, -1, nil, nil, 0, $0) }
    },
    HandleCall("kvpager_session_export_file", "session") { fixture, h in
      kvpager_session_export_file(h, -1, nil, "\(fixture.folder.path)/log", nil)
    },
  ]

  private static let states: [HandleCall] = [
    HandleCall("kvpager_space_insert_state", "state") { kvpager_space_insert_state($0.space, $1, identity) },
    HandleCall("kvpager_session_take_state", "state") { kvpager_session_take_state($0.session, $1, identity) },
    HandleCall("kvpager_state_describe", "state") { _, h in json { kvpager_state_describe(h, $0) } },
    HandleCall("kvpager_state_tokens", "state") { _, h in answer(0) { kvpager_state_tokens(h, nil, 0, $0) } },
    HandleCall("kvpager_state_space", "state") { fixture, h in
      answer(0) { kvpager_state_space(h, fixture.store, #"{"model": "m"}"#, $0) }
    },
    HandleCall("kvpager_state_space", "store") { fixture, h in
      answer(0) { kvpager_state_space(fixture.state, h, #"{"model": "m"}"#, $0) }
    },
    HandleCall("kvpager_state_close", "state") { kvpager_state_close($1) },
  ]
}
