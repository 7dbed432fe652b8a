import Synchronization

/// A line of progress that other threads may tell: begun at the first word, in a terminal only.
final class ProgressDisplay: Sendable {
  private let verb: String
  private let line = Mutex<ProgressLine?>(nil)

  init(_ verb: String) { self.verb = verb }

  func show(_ done: Int, of total: Int) {
    line.withLock { line in
      if line == nil { line = ProgressLine(verb, totalByteCount: total) }
      line?.advance(to: done)
    }
  }

  func finish() {
    line.withLock { line in
      line?.finish()
      line = nil
    }
  }
}
