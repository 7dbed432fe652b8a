import CKVPager
import Foundation
import Testing

/// Calls whose handles are right and of whose other arguments one is not.
struct WrongArgument: Sendable, CustomStringConvertible {
  let description: String
  let call: @Sendable (Fixture) -> kvpager_status

  init(_ description: String, _ call: @escaping @Sendable (Fixture) -> kvpager_status) {
    self.description = description
    self.call = call
  }

  private static let identity = kvpager_sharing(KVPAGER_BY_IDENTITY)
  private static let notUTF8: [CChar] = [CChar(bitPattern: 0xff), 0]
  private static let tooLong = String(repeating: "x", count: 5000)

  /// Calls with rows of all planes.
  private static func withRows(
    _ fixture: Fixture, change: (inout [kvpager_rows]) -> Void = { _ in },
    _ call: (UnsafePointer<kvpager_rows>, Int64) -> kvpager_status
  ) -> kvpager_status {
    var status: kvpager_status = 0
    fixture.withRows(tokenCount: 4, change: change) { status = call($0, $1) }
    return status
  }

  private static func number(_ call: (UnsafeMutablePointer<Int64>) -> kvpager_status) -> kvpager_status {
    var number: Int64 = 0
    let status = call(&number)
    #expect(number == 0, "nothing is answered beside an error")
    return status
  }

  private static func handle(_ call: (UnsafeMutablePointer<UInt64>) -> kvpager_status) -> kvpager_status {
    var handle: UInt64 = 0
    let status = call(&handle)
    #expect(handle == 0, "no handle is given beside an error")
    return status
  }

  static let all: [WrongArgument] = answers + texts + counts + negatives + rows + others

  /// No place for an answer.
  private static let answers: [WrongArgument] = [
    WrongArgument("store_open: store") { kvpager_store_open($0.folder.path, nil, nil) },
    WrongArgument("store_statistics: json") { kvpager_store_statistics($0.store, nil) },
    WrongArgument("store_sessions: json") { kvpager_store_sessions($0.store, nil) },
    WrongArgument("store_spaces: json") { kvpager_store_spaces($0.store, nil) },
    WrongArgument("space_open: space") { kvpager_space_open($0.store, "{}", nil) },
    WrongArgument("space_open_id: space") { kvpager_space_open_id($0.store, 1, nil) },
    WrongArgument("space_describe: json") { kvpager_space_describe($0.space, nil) },
    WrongArgument("space_longest_checkpoint: name") { kvpager_space_longest_checkpoint($0.space, nil, 0, nil) },
    WrongArgument("space_resume: session") { kvpager_space_resume($0.space, "monday", nil) },
    WrongArgument("prefix_find: prefix") { kvpager_prefix_find($0.space, nil, 0, nil, nil) },
    WrongArgument("prefix_describe: json") { kvpager_prefix_describe($0.prefix, nil) },
    WrongArgument("prefix_read: read_count") { f in
      withRows(f) { rows, count in kvpager_prefix_read(f.prefix, 0, 4, rows, count, nil) }
    },
    WrongArgument("prefix_export: size") { kvpager_prefix_export($0.prefix, -1, nil, nil, 0, nil) },
    WrongArgument("session_create: session") { kvpager_session_create($0.space, "a", 0, nil, 0, nil) },
    WrongArgument("session_resume: session") { kvpager_session_resume($0.store, "monday", nil) },
    WrongArgument("session_space: space") { kvpager_session_space($0.session, nil) },
    WrongArgument("session_describe: json") { kvpager_session_describe($0.session, nil) },
    WrongArgument("session_tokens: count") { kvpager_session_tokens($0.session, nil, 0, nil) },
    WrongArgument("session_fork: fork") { kvpager_session_fork($0.session, "a", -1, nil) },
    WrongArgument("session_checkpoint: size") { kvpager_session_checkpoint($0.session, nil, 0, nil) },
    WrongArgument("session_export: size") { kvpager_session_export($0.session, -1, nil, nil, 0, nil) },
    WrongArgument("state_open: state") { _ in kvpager_state_open(nil, 0, nil, 0, nil) },
    WrongArgument("state_open_file: state") { _ in kvpager_state_open_file(Fixture.samplePath, nil, 0, nil) },
    WrongArgument("state_describe: json") { kvpager_state_describe($0.state, nil) },
    WrongArgument("state_tokens: count") { kvpager_state_tokens($0.state, nil, 0, nil) },
    WrongArgument("state_space: space") { kvpager_state_space($0.state, $0.store, "{}", nil) },
  ]

  private static let texts: [WrongArgument] = [
    WrongArgument("store_open: no path") { _ in handle { kvpager_store_open(nil, nil, $0) } },
    WrongArgument("store_open: empty path") { _ in handle { kvpager_store_open("", nil, $0) } },
    WrongArgument("store_open: a path that is not UTF-8") { _ in handle { kvpager_store_open(notUTF8, nil, $0) } },
    WrongArgument("store_open: a path without end") { _ in handle { kvpager_store_open(tooLong, nil, $0) } },
    WrongArgument("store_delete_session: no name") { kvpager_store_delete_session($0.store, nil) },
    WrongArgument("space_open: no descriptor") { f in handle { kvpager_space_open(f.store, nil, $0) } },
    WrongArgument("space_resume: no name") { f in handle { kvpager_space_resume(f.space, nil, $0) } },
    WrongArgument("space_delete_session: no name") { kvpager_space_delete_session($0.space, nil) },
    WrongArgument("session_create: no name") { f in handle { kvpager_session_create(f.space, nil, 0, nil, 0, $0) } },
    WrongArgument("session_create: empty") { f in handle { kvpager_session_create(f.space, "", 0, nil, 0, $0) } },
    WrongArgument("session_create: a name of 5000 bytes") { f in
      handle { kvpager_session_create(f.space, tooLong, 0, nil, 0, $0) }
    },
    WrongArgument("session_create: a name of 256 bytes") { f in
      handle { kvpager_session_create(f.space, String(repeating: "y", count: 256), 0, nil, 0, $0) }
    },
    WrongArgument("session_create: a line break") { f in
      handle { kvpager_session_create(f.space, "a\nb", 0, nil, 0, $0) }
    },
    WrongArgument("session_resume: no name") { f in handle { kvpager_session_resume(f.store, nil, $0) } },
    WrongArgument("session_fork: no name") { f in handle { kvpager_session_fork(f.session, nil, -1, $0) } },
    WrongArgument("session_rename: no name") { kvpager_session_rename($0.session, nil) },
    WrongArgument("session_rename: not UTF-8") { kvpager_session_rename($0.session, notUTF8) },
    WrongArgument("session_set_metadata: no name") { kvpager_session_set_metadata($0.session, nil, "b") },
    WrongArgument("session_set_metadata: not UTF-8") { kvpager_session_set_metadata($0.session, "a", notUTF8) },
    WrongArgument("session_export_file: no path") { kvpager_session_export_file($0.session, -1, nil, nil, nil) },
    WrongArgument("state_open_file: no path") { _ in handle { kvpager_state_open_file(nil, nil, 0, $0) } },
    WrongArgument("state_open_file: a folder") { f in handle { kvpager_state_open_file(f.folder.path, nil, 0, $0) } },
    WrongArgument("state_space: no descriptor") { f in handle { kvpager_state_space(f.state, f.store, nil, $0) } },
  ]

  private static let counts: [WrongArgument] = [Int64.min, -2, .max, 1 << 40].flatMap { n -> [WrongArgument] in
    [
      WrongArgument("space_open_id \(n)") { f in handle { kvpager_space_open_id(f.store, n, $0) } },
      WrongArgument("space_insert of \(n)") { f in
        withRows(f) { rows, count in
          kvpager_space_insert(f.space, [1], n, rows, count, identity)
        }
      },
      WrongArgument("space_longest_checkpoint of \(n)") { f in
        var name: UnsafeMutablePointer<CChar>?
        return kvpager_space_longest_checkpoint(f.space, [1], n, &name)
      },
      WrongArgument("prefix_find of \(n)") { f in handle { kvpager_prefix_find(f.space, [1], n, $0, nil) } },
      WrongArgument("prefix_read from \(n)") { f in
        withRows(f) { rows, count in number { kvpager_prefix_read(f.prefix, n, 1, rows, count, $0) } }
      },
      WrongArgument("prefix_read of \(n)") { f in
        withRows(f) { rows, count in number { kvpager_prefix_read(f.prefix, 1, n, rows, count, $0) } }
      },
      WrongArgument("prefix_read of \(n) planes") { f in
        withRows(f) { rows, _ in number { kvpager_prefix_read(f.prefix, 0, 1, rows, n, $0) } }
      },
      WrongArgument("prefix_export of \(n)") { f in
        number { kvpager_prefix_export(f.prefix, n, nil, nil, 0, $0) }
      },
      WrongArgument("session_create with \(n)") { f in handle { kvpager_session_create(f.space, "a", 0, [1], n, $0) } },
      WrongArgument("session_append of \(n)") { f in
        withRows(f) { rows, count in
          kvpager_session_append(f.session, [1], n, rows, count, identity)
        }
      },
      WrongArgument("session_append of \(n) planes") { f in
        withRows(f) { rows, _ in
          kvpager_session_append(f.session, [1], 1, rows, n, identity)
        }
      },
      WrongArgument("session_read from \(n)") { f in
        withRows(f) { rows, count in kvpager_session_read(f.session, n, 1, rows, count) }
      },
      WrongArgument("session_read of \(n)") { f in
        withRows(f) { rows, count in kvpager_session_read(f.session, 0, n, rows, count) }
      },
      WrongArgument("session_fork at \(n)") { f in handle { kvpager_session_fork(f.session, "a", n, $0) } },
      WrongArgument("session_truncate to \(n)") { kvpager_session_truncate($0.session, n) },
      WrongArgument("session_set_checkpoint of \(n)") { kvpager_session_set_checkpoint($0.session, [UInt8(1)], n) },
      WrongArgument("session_export of \(n)") { f in
        number { kvpager_session_export(f.session, n, nil, nil, 0, $0) }
      },
      WrongArgument("session_export_file of \(n)") { f in
        kvpager_session_export_file(f.session, n, nil, "\(f.folder.path)/log", nil)
      },
      WrongArgument("state_open with \(n) tokens") { _ in handle { kvpager_state_open([UInt8(0)], 1, [1], n, $0) } },
      WrongArgument("state_open_file with \(n) tokens") { _ in
        handle { kvpager_state_open_file(Fixture.samplePath, [1], n, $0) }
      },
    ]
  }

  private static let negatives: [WrongArgument] = [Int64.min, -2].flatMap { n -> [WrongArgument] in
    [
      WrongArgument("session_set_expiry \(n)") { kvpager_session_set_expiry($0.session, n) },
      WrongArgument("session_tokens into \(n)") { f in
        number { kvpager_session_tokens(f.session, nil, n, $0) }
      },
      WrongArgument("state_open of \(n) bytes") { _ in handle { kvpager_state_open([UInt8(0)], n, nil, 0, $0) } },
      WrongArgument("session_export into \(n)") { f in
        number { kvpager_session_export(f.session, -1, nil, nil, n, $0) }
      },
    ]
  }

  private typealias RowsChange = @Sendable (inout kvpager_rows) -> Void

  /// Rows that cannot lie so.
  private static let wrongRows: [(String, RowsChange)] = [
    ("NULL", { $0.base = nil }),
    ("a negative stride", { $0.token_stride = -384 }),
    ("rows that overlap", { $0.token_stride = 383 }),
    ("a stride beyond memory", { $0.token_stride = .max }),
    ("parts that do not divide a row", { $0.part_bytes = 100 }),
    ("negative parts", { $0.part_bytes = -128 }),
    ("parts larger than a row", { $0.part_bytes = 768 }),
    ("parts that overlap", { ($0.part_bytes, $0.token_stride, $0.part_stride) = (128, 128, 511) }),
    ("parts at one place", { ($0.part_bytes, $0.part_stride) = (128, 0) }),
    ("parts beyond memory", { ($0.part_bytes, $0.part_stride) = (1, .max / 300) }),
    ("an end beyond memory", { $0.base = UnsafeMutableRawPointer(bitPattern: UInt.max - 100) }),
  ]

  private static let rows: [WrongArgument] = wrongRows.flatMap { what, change -> [WrongArgument] in
    [
      WrongArgument("session_append: \(what)") { f in
        withRows(f, change: { change(&$0[59]) }) { rows, count in
          kvpager_session_append(f.session, [1, 2, 3, 4], 4, rows, count, identity)
        }
      },
      WrongArgument("space_insert: \(what)") { f in
        withRows(f, change: { change(&$0[0]) }) { rows, count in
          kvpager_space_insert(f.space, [1, 2, 3, 4], 4, rows, count, identity)
        }
      },
    ]
  }

  private static let others: [WrongArgument] = [
    WrongArgument("session_append: no planes") { kvpager_session_append($0.session, [1], 1, nil, 60, identity) },
    WrongArgument("session_read: no planes") { kvpager_session_read($0.session, 0, 1, nil, 60) },
    WrongArgument("session_append: no tokens") { f in
      withRows(f) { rows, count in
        kvpager_session_append(f.session, nil, 4, rows, count, identity)
      }
    },
    WrongArgument("session_append: unknown sharing") { f in
      withRows(f) { rows, count in
        kvpager_session_append(f.session, [1, 2, 3, 4], 4, rows, count, 2)
      }
    },
    WrongArgument("session_take_state: unknown sharing") { kvpager_session_take_state($0.session, $0.state, -1) },
    WrongArgument("session_read: beyond the tokens") { f in
      withRows(f) { rows, count in kvpager_session_read(f.session, 13, 4, rows, count) }
    },
    WrongArgument("session_read: rows that overlap") { f in
      withRows(f, change: { $0[3].token_stride = 1 }) { rows, count in
        kvpager_session_read(f.session, 0, 4, rows, count)
      }
    },
    WrongArgument("session_checkpoint: no buffer") { f in
      number { kvpager_session_checkpoint(f.session, nil, 8, $0) }
    },
    WrongArgument("session_set_checkpoint: no bytes") { kvpager_session_set_checkpoint($0.session, nil, 8) },
    WrongArgument("state_open: no bytes") { _ in handle { kvpager_state_open(nil, 8, nil, 0, $0) } },
    WrongArgument("state_open: more bytes than memory has") { _ in
      handle { kvpager_state_open([UInt8(1)], .max, nil, 0, $0) }
    },
    WrongArgument("state_open_file: other tokens than its own") { f in
      handle { kvpager_state_open_file(Fixture.samplePath, f.tokens.map { $0 + 1 }, 16, $0) }
    },
    WrongArgument("state_open_file: too few tokens") { f in
      handle { kvpager_state_open_file(Fixture.samplePath, f.tokens, 15, $0) }
    },
    WrongArgument("session_create: a prompt that the prefix does not begin") { f in
      handle { kvpager_session_create(f.space, "a", f.prefix, [1, 2], 2, $0) }
    },
  ]
}

@Suite struct `Arguments of the C interface` {
  /// Kept for all cases: none of them may change anything.
  static let fixture = Fixture()

  @Test(arguments: WrongArgument.all)
  func `a wrong argument is answered and changes nothing`(wrong: WrongArgument) {
    gives(KVPAGER_INVALID_ARGUMENT, wrong.call(Self.fixture))
    #expect(Self.fixture.sessionTokens == Self.fixture.tokens)
  }

  @Test func `nothing is too little`() {
    let fixture = Fixture()
    var count: Int64 = -1
    fixture.withRows(tokenCount: 0) { rows, planes in
      ok(kvpager_session_append(fixture.session, nil, 0, rows, planes, kvpager_sharing(KVPAGER_BY_IDENTITY)))
      ok(kvpager_session_read(fixture.session, 16, 0, rows, planes))
      ok(kvpager_prefix_read(fixture.prefix, 0, 0, rows, planes, &count))
    }
    #expect(count == 0)
    var prefix: kvpager_prefix = 0
    ok(kvpager_prefix_find(fixture.space, nil, 0, &prefix, &count))
    #expect(count == 0)
    ok(kvpager_session_truncate(fixture.session, 0))
    ok(kvpager_session_commit(fixture.session))
    #expect(fixture.sessionTokens.isEmpty)
  }

  @Test func `a state of another model does not enter a space`() {
    let fixture = Fixture()
    var other: kvpager_state = 0
    ok(kvpager_state_open_file("\(Fixture.root)/data/samples/smollm2-135m_48tok_q8_0_fa.v4.ggsq", nil, 0, &other))
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_session_take_state(fixture.session, other, 0))
    #expect(lastError.contains("layer 0 keys"))
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_space_insert_state(fixture.space, other, 0))
    ok(kvpager_state_close(other))
  }

  @Test(arguments: [0, 1, 3, 100, 5000, 200_000])
  func `a damaged state is malformed, wherever the damage is`(cut: Int) throws {
    let file = try [UInt8](Data(contentsOf: URL(filePath: Fixture.samplePath)))
    var state: kvpager_state = 0
    gives(KVPAGER_MALFORMED, kvpager_state_open(file, Int64(cut), nil, 0, &state))
    #expect(lastError.hasPrefix("at byte "))
    #expect(state == 0)
  }
}
