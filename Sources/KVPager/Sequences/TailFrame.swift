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

  /// Lets `body` make a block of the frame, after which the tail is used up. Where it throws, the tail keeps the frame.
  func seal<R>(_ body: (inout OpenFrame) throws(StoreError) -> R) throws(StoreError) -> R {
    var taken: OpenFrame? = state.withLock { $0.frame.take() }
    guard var frame = taken.take() else { preconditionFailure("a tail is sealed once") }
    do throws(StoreError) {
      return try body(&frame)
    } catch {
      var given: OpenFrame? = frame
      state.withLock { $0.frame = given.take() }
      throw error
    }
  }
}
