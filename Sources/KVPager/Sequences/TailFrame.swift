import KVTiering

// Invariants: rows are added only while one sequence alone holds the tail. `frame` is nil once the tail was sealed,
// which only happens then too.

/// An open frame with some rows: the last, unsealed block of a sequence, or of several that were forked from one and
/// have not gone on since.
final class TailFrame: Sendable {
  private let state: Lock<State>
  nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer  // because: the frame is this object's

  private struct State: ~Copyable {
    var frame: OpenFrame?
    var rowCount: Int
  }

  init(_ frame: consuming OpenFrame, rowCount: Int) {
    bytes = frame.bytes
    state = Lock(State(frame: frame, rowCount: rowCount))
  }

  var rowCount: Int { state.withLock { $0.rowCount } }
  func grow(by count: Int) { state.withLock { $0.rowCount += count } }

  /// The frame, to be sealed; the tail is used up.
  func take() -> OpenFrame {
    var taken: OpenFrame? = state.withLock { $0.frame.take() }
    guard let frame = taken.take() else { preconditionFailure("a tail is sealed once") }
    return frame
  }
}
