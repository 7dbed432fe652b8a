import KVBlocks

/// Something asked of the writer thread, and the answer, for which the asking thread sleeps.
final class WriterRequest: Sendable {
  enum Work: Sendable {
    /// Write the dirty blocks among `required` and their dirty ancestors, and the operation with the last of them.
    case commit(SessionOperation, required: [BlockKey])
    /// Write back every block that is dirty when the request comes up.
    case flushAll
    /// Write back one batch: a caller waits for a frame.
    case flushBatch
    /// Run a closure, see ``takeJob()``.
    case job
  }

  enum Answer: Sendable {
    case done(revision: UInt64)
    case missing([BlockHash])
    case failed(StoreError)
  }

  let work: Work
  private let job: Lock<(@Sendable () -> Void)?>
  private let answer = Lock<Answer?>(nil)
  private let answered = EventCount()

  init(_ work: Work, job: (@Sendable () -> Void)? = nil) {
    self.work = work
    self.job = Lock(job)
  }

  /// Hands the closure over and lets go of it, so that it and what it captures die before the asking thread goes on.
  func takeJob() -> (@Sendable () -> Void)? {
    job.withLock { job in
      defer { job = nil }
      return job
    }
  }

  func complete(_ value: Answer) {
    answer.withLock { $0 = value }
    answered.advance()
  }

  func wait() -> Answer {
    while true {
      let ticket = answered.ticket
      if let value = answer.withLock({ $0 }) { return value }
      answered.wait(past: ticket)
    }
  }
}
