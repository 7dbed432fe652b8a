import CKVPager
import Foundation
import KVSimulation
import Testing

/// One handle of each kind, over a store of its own that holds a real state of 16 tokens.
final class Fixture: @unchecked Sendable {  // because: the handles are numbers that never change
  static let planeCount = 60
  static let rowByteCount = 384
  static let tokenCount = 16
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let samplePath = "\(root)/data/samples/smollm2-135m_16tok_f16_fa_2streams_seq1.v4.ggsq"

  let folder = TemporaryFolder()
  private(set) var store: kvpager_store = 0
  private(set) var space: kvpager_space = 0
  private(set) var session: kvpager_session = 0
  private(set) var prefix: kvpager_prefix = 0
  private(set) var state: kvpager_state = 0

  init(options: String? = nil) {
    ok(kvpager_store_open(folder.store, options, &store))
    ok(kvpager_state_open_file(Self.samplePath, nil, 0, &state))
    ok(kvpager_state_space(state, store, #"{"model": "m", "blockTokens": 4}"#, &space))
    ok(kvpager_session_create(space, "monday", 0, nil, 0, &session))
    ok(kvpager_session_take_state(session, state, kvpager_sharing(KVPAGER_BY_IDENTITY)))
    ok(kvpager_session_commit(session))
    ok(kvpager_prefix_find(space, tokens, Int64(Self.tokenCount), &prefix, nil))
  }

  deinit {
    _ = kvpager_state_close(state)
    _ = kvpager_store_close(store)
  }

  var tokens: [Int32] { tokens(of: state, kvpager_state_tokens) }
  var sessionTokens: [Int32] { tokens(of: session, kvpager_session_tokens) }

  private func tokens(
    of handle: UInt64,
    _ ask: (UInt64, UnsafeMutablePointer<Int32>?, Int64, UnsafeMutablePointer<Int64>?) -> kvpager_status
  ) -> [Int32] {
    var count: Int64 = 0
    ok(ask(handle, nil, 0, &count))
    var tokens = [Int32](repeating: 0, count: Int(count))
    ok(ask(handle, &tokens, count, &count))
    return tokens
  }

  /// Calls with rows of every plane, contiguous, of `tokenCount` tokens, all bytes being `byte`; returns them after it.
  @discardableResult
  func withRows(
    tokenCount: Int, byte: UInt8 = 7, change: (inout [kvpager_rows]) -> Void = { _ in },
    _ body: (UnsafePointer<kvpager_rows>, Int64) -> Void
  ) -> [UInt8] {
    let planeByteCount = max(1, tokenCount * Self.rowByteCount)
    var bytes = [UInt8](repeating: byte, count: Self.planeCount * planeByteCount)
    bytes.withUnsafeMutableBytes { bytes in
      var rows = (0..<Self.planeCount).map {
        kvpager_rows(base: bytes.baseAddress! + $0 * planeByteCount, token_stride: 0, part_bytes: 0, part_stride: 0)
      }
      change(&rows)
      body(rows, Int64(rows.count))
    }
    return bytes
  }
}

/// A call that must succeed.
func ok(_ status: kvpager_status, _ location: SourceLocation = #_sourceLocation) {
  #expect(status == KVPAGER_OK, "\(lastError)", sourceLocation: location)
}

/// A call that must fail so.
func gives(_ wanted: Int, _ status: kvpager_status, _ location: SourceLocation = #_sourceLocation) {
  #expect(name(status) == name(kvpager_status(wanted)), "\(lastError)", sourceLocation: location)
  #expect(!lastError.isEmpty, sourceLocation: location)
}

var lastError: String { String(cString: kvpager_last_error()) }

func name(_ status: kvpager_status) -> String { String(cString: kvpager_status_name(status)) }

/// A text that the library handed out.
func text(_ give: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> kvpager_status) -> String {
  var pointer: UnsafeMutablePointer<CChar>?
  ok(give(&pointer))
  defer { kvpager_free(pointer) }
  return pointer.map { String(cString: $0) } ?? ""
}
