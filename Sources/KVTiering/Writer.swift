import KVBlocks
import KVMemoryTier

/// What the writer thread does next.
enum WriterStep: Sendable {
  case commits([WriterRequest])
  case flush(WriterRequest)
  case job(WriterRequest)
  /// A batch, or only touches, of the writer's own accord.
  case writeBack
  case flushTouches
  case wait(milliseconds: Int?)
  case stop
}

/// The writer thread's life.
extension PagerCore {
  func write() {
    var teller = ActivityTeller()
    while true {
      let ticket = writerBell.ticket
      let step = state.withLock { $0.nextWriterStep() }
      if case .wait(let milliseconds) = step {
        wait(past: ticket, milliseconds: milliseconds, teller.tell(self))
        continue
      }
      teller.tellWhileWorking(self)
      switch step {
      case .commits(let requests): serveCommits(requests)
      case .flush(let request): serveFlush(request)
      case .job(let request):
        runJob(request)
        settleDeletions()
        request.complete(.done(revision: 0))
      case .writeBack: _ = writeSomeBatches(frameLimit: .max, batchLimit: 1)
      case .flushTouches: flushTouches()
      case .wait: break
      case .stop: return
      }
    }
  }

  /// Until the bell rings or the earlier of two limits, nil for none.
  private func wait(past ticket: UInt64, milliseconds: Int?, _ other: Int?) {
    if let limit = milliseconds.map({ min($0, other ?? $0) }) ?? other {
      writerBell.wait(past: ticket, milliseconds: limit)
    } else {
      writerBell.wait(past: ticket)
    }
  }

  /// In a function of its own: the closure must be gone before the request is answered.
  @inline(never)
  private func runJob(_ request: WriterRequest) {
    request.takeJob()?()
  }

  private func serveFlush(_ request: WriterRequest) {
    let isPressure = state.withLock { state -> Bool in
      guard state.pressure === request else { return false }
      // Who asks from here on needs a batch after this one.
      state.pressure = nil
      return true
    }
    // More than are dirty now: blocks may be tried twice, after ancestors that were deleted meanwhile.
    let frameLimit = isPressure ? Int.max : state.withLock { $0.dirtyQueue.count * 2 + $0.pool.residentCount }
    let error = writeSomeBatches(frameLimit: frameLimit, batchLimit: isPressure ? 1 : .max)
    request.complete(error.map { .failed($0) } ?? .done(revision: 0))
  }

  /// Writes back from the head of the queue. The error of the batch that failed; the rest is left for another time.
  private func writeSomeBatches(frameLimit: Int, batchLimit: Int) -> StoreError? {
    var framesLeft = frameLimit
    var batchesLeft = batchLimit
    while framesLeft > 0, batchesLeft > 0 {
      let items = state.withLock { $0.beginBatch(frameLimit: framesLeft) }
      guard !items.isEmpty else { return nil }
      if let error = writeCacheBatch(items) { return error }
      framesLeft -= items.count
      batchesLeft -= 1
    }
    return nil
  }

  /// One batch of blocks without an operation. What the full quota refuses is dropped, unless a session protects it.
  func writeCacheBatch(_ items: [BatchItem]) -> StoreError? {
    switch writeBatch(items, operations: []) {
    case .success: return nil
    case .failure(let error):
      guard error.code == .quotaFull else { return error }
      let (kept, dropped) = state.withLock { state -> ([BatchItem], Int) in state.dropUnprotected(items) }
      progress.advance()
      guard dropped > 0 else { return error }
      guard !kept.isEmpty else { return nil }
      let retried = state.withLock { $0.resumeBatch(kept) }
      if case .failure(let error) = writeBatch(retried, operations: []) { return error }
      return nil
    }
  }

  private func flushTouches() {
    let touches = state.withLock { $0.takeTouches() }
    guard !touches.isEmpty else { return }
    // Recency is advice: a store that cannot take it (read-only, full) is none the worse.
    defer { settleDeletions() }
    guard (try? cold.commit(ColdBatch(touches: touches), isProtected: { self.mustKeep($0) })) != nil else { return }
    state.withLock { $0.counters.batches += 1 }
  }
}

extension PagerState {
  mutating func nextWriterStep() -> WriterStep {
    if let first = requests.first {
      guard case .commit = first.work else {
        requests.removeFirst()
        if case .job = first.work { return .job(first) }
        return .flush(first)
      }
      // All commits that wait go into one transaction.
      var commits: [WriterRequest] = []
      requests.removeAll { request in
        guard case .commit = request.work else { return false }
        commits.append(request)
        return true
      }
      return .commits(commits)
    }
    if writer.isStopping { return touches.entries.isEmpty && !pool.hasHits ? .stop : .flushTouches }
    guard !dirtyQueue.isEmpty else { return touches.isFull ? .flushTouches : .wait(milliseconds: nil) }
    if !writer.isHeldOff, pool.dirtyBytes >= configuration.writeBackThresholdBytes { return .writeBack }
    let remaining = writer.remainingMilliseconds(idleMilliseconds: configuration.idleWriteBackMilliseconds)
    return remaining <= 0 ? .writeBack : .wait(milliseconds: remaining)
  }
}
