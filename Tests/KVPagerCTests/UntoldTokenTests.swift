import CKVPager
import Foundation
import KVSimulation
import Testing

/// States that do not tell what their rows were computed from: nobody else may get these rows.
@Suite struct `A state whose tokens are not known` {
  /// The sample's head: magic, version, token count, tokens, stream count, an empty stream, cell count.
  private static let payloadOffset = 12 + 4 * Fixture.tokenCount
  private static let cellsOffset = payloadOffset + 12
  private static let cellByteCount = 12

  private let file: [UInt8]

  init() throws { file = try [UInt8](Data(contentsOf: URL(filePath: Fixture.samplePath))) }

  /// The state without its tokens.
  private var blob: [UInt8] { Array(file[Self.payloadOffset...]) }

  /// The last cell at a later position, as after a shift: the tokens are there, and do not stand for the rows.
  private var shifted: [UInt8] {
    var bytes = file
    bytes[Self.cellsOffset + (Fixture.tokenCount - 1) * Self.cellByteCount] = 99
    return bytes
  }

  private func withState(
    _ bytes: [UInt8], tokens: [Int32] = [], _ body: (kvpager_state) throws -> Void
  ) rethrows {
    try bytes.withUnsafeBytes { memory in
      var state: kvpager_state = 0
      let count = Int64(tokens.count)
      ok(kvpager_state_open(memory.baseAddress, Int64(memory.count), count == 0 ? nil : tokens, count, &state))
      defer { ok(kvpager_state_close(state)) }
      try body(state)
    }
  }

  private func exported(_ session: kvpager_session) -> [UInt8] {
    var size: Int64 = 0
    ok(kvpager_session_export(session, -1, nil, nil, 0, &size))
    var bytes = [UInt8](repeating: 0, count: Int(size))
    ok(kvpager_session_export(session, -1, nil, &bytes, size, &size))
    return bytes
  }

  @Test func `it does not enter a space where equal tokens mean equal rows`() {
    let fixture = Fixture()
    for bytes in [blob, shifted] {
      withState(bytes) { state in
        #expect(text { kvpager_state_describe(state, $0) }.contains(#""tokensKnown":false"#))
        for sharing in [KVPAGER_BY_IDENTITY, KVPAGER_BY_CONTENT] {
          gives(
            KVPAGER_INVALID_ARGUMENT,
            kvpager_session_take_state(fixture.session, state, kvpager_sharing(sharing)))
          #expect(lastError.contains("own space"))
          gives(
            KVPAGER_INVALID_ARGUMENT,
            kvpager_space_insert_state(fixture.space, state, kvpager_sharing(sharing)))
        }
      }
    }
    #expect(exported(fixture.session) == file)
  }

  @Test func `in its own space nothing is shared for the tokens' sake`() {
    let fixture = Fixture()
    withState(shifted) { state in
      var space: kvpager_space = 0
      var session: kvpager_session = 0
      ok(kvpager_state_space(state, fixture.store, #"{"model": "m", "blockTokens": 4}"#, &space))
      ok(kvpager_session_create(space, "shifted", 0, nil, 0, &session))
      ok(kvpager_session_take_state(session, state, kvpager_sharing(KVPAGER_BY_IDENTITY)))
      #expect(exported(session) == shifted)
      // The same tokens, whose rows are others: none of those there may stay.
      var other = file
      other[other.count - 1] ^= 1
      other[other.count / 2] ^= 1
      withState(other) { regular in
        ok(kvpager_session_take_state(session, regular, kvpager_sharing(KVPAGER_BY_IDENTITY)))
        #expect(exported(session) == other)
        ok(kvpager_space_insert_state(space, regular, kvpager_sharing(KVPAGER_BY_IDENTITY)))
      }
      ok(kvpager_session_take_state(session, state, kvpager_sharing(KVPAGER_BY_IDENTITY)))
      #expect(exported(session) == shifted)
    }
  }

  @Test func `a negative token stands for media, whatever it shows`() {
    let fixture = Fixture()
    var tokens = fixture.tokens
    withState(blob, tokens: tokens) {
      ok(kvpager_session_take_state(fixture.session, $0, kvpager_sharing(KVPAGER_BY_IDENTITY)))
    }
    tokens[7] = -1
    withState(blob, tokens: tokens) { state in
      #expect(text { kvpager_state_describe(state, $0) }.contains(#""tokensKnown":false"#))
      gives(
        KVPAGER_INVALID_ARGUMENT,
        kvpager_session_take_state(fixture.session, state, kvpager_sharing(KVPAGER_BY_IDENTITY)))
    }
  }

  @Test func `more uncut bytes than a store takes are refused before they are read`() throws {
    let fixture = Fixture()
    let path = fixture.folder.store + ".state"
    func word(_ value: UInt32) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
    func entry(_ byteCount: UInt32) -> Data { word(0) + word(byteCount) + word(0) }
    // A recurrent memory of one cell and one layer, whose first entry is a hole of 3 GiB.
    let head = [0x6767_7371, 4, 0, 1, 4, 0, 0, 1].map(word).reduce(Data(), +) + entry(3 << 30)
    let tail = entry(16) + Data(count: 16)
    #expect(FileManager.default.createFile(atPath: path, contents: head))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.seek(toOffset: UInt64(head.count) + 3 << 30)
    try handle.write(contentsOf: tail)
    try handle.close()
    var state: kvpager_state = 0
    ok(kvpager_state_open_file(path, nil, 0, &state))
    var space: kvpager_space = 0
    var session: kvpager_session = 0
    let descriptor = #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "raw", "rowBytes": 1}]}"#
    ok(kvpager_space_open(fixture.store, descriptor, &space))
    ok(kvpager_session_create(space, "large", 0, nil, 0, &session))
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_session_take_state(session, state, 0))
    #expect(lastError.contains("cannot be cut"))
    ok(kvpager_state_close(state))
  }
}
