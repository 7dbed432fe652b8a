// Invariants:
// - `state` is never locked across I/O, the codec, a wait or a caller's code: plan under the lock, do outside, settle
//   under it.
// - `progress` advances after every change that may give a frame to somebody who waits for one.
// - Only the writer thread calls the disk tier's `commit`.
// - The pager's threads keep no reference to it; it ends and joins them before it goes.
import KVBlocks
import KVMemoryTier
import Synchronization

/// Decides which blocks lie in RAM: looks up, pins, loads, evicts and writes back, over one pool and one disk tier.
///
/// Safe to call from any thread; every call may block, so none belongs on Swift's cooperative pool. After any
/// `StoreError` all goes on; what was not written stays dirty and is tried again.
package final class Pager: Sendable {
  let configuration: PagerConfiguration
  let cold: any ColdTier
  let state: Mutex<PagerState>
  let progress = EventCount()
  let writerBell = EventCount()
  let loadPool: LoadPool
  private let writerThread = Mutex<WorkerThread?>(nil)

  /// Starts the writer and the load threads. Where the system gives no thread, every call that needs one throws.
  package init(configuration: PagerConfiguration, cold: any ColdTier) {
    self.configuration = configuration
    self.cold = cold
    state = Mutex(PagerState(configuration: configuration))
    loadPool = LoadPool(threadCount: configuration.loadThreadCount)
    do {
      let thread = try WorkerThread(name: "kvpager-writer", body: { [pager = Unowned(self)] in pager.object.write() })
      writerThread.withLock { $0 = thread }
    } catch {
      state.withLock { $0.refusal = error }
    }
  }

  deinit {
    // A cache may forget: whoever wants the dirty blocks on disk, or an error, calls close().
    try? close()
  }

  // MARK: Protection

  /// Counted. Protected blocks are not deleted by the quota, and dirty ones are never dropped. Protect before sealing
  /// or looking up what a session will refer to.
  package func protect(_ keys: [BlockKey]) { state.withLock { $0.protect(keys) } }

  package func unprotect(_ keys: [BlockKey]) { state.withLock { $0.unprotect(keys) } }

  package func isProtected(_ key: BlockKey) -> Bool { state.withLock { $0.protections[key] != nil } }

  // MARK: Ending

  /// Writes back what is dirty and stops the threads; every later call throws `closed`, while leases keep their frames.
  ///
  /// - Throws: `closed` on a second call; the writer's error where dirty blocks could not be stored. The pager is
  ///   closed then too.
  package func close() throws(StoreError) {
    let flush = WriterRequest(.flushAll)
    let hasWriter = writerThread.withLock { $0 != nil }
    let earlier = state.withLock { state -> StoreError? in
      if let refusal = state.refusal { return refusal }
      state.refusal = StoreError(.closed, "the store was closed; open it again")
      state.writer.isStopping = true
      state.requests.append(flush)
      return nil
    }
    if let earlier {
      if !hasWriter { loadPool.stop() }
      throw earlier
    }
    writerBell.advance()
    progress.advance()
    loadPool.stop()
    let answer = flush.wait()
    let thread = writerThread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    thread?.join()
    if case .failed(let error) = answer { throw error }
  }

  /// What the pager did and holds.
  package var statistics: PagerStatistics { state.withLock { $0.statistics } }

  /// Checks what the files of this module and the pool list as invariants. Stops the process where one is broken.
  package func assertInvariants() { state.withLock { $0.assertInvariants() } }

  // MARK: Waiting

  /// Sleeps until a frame may have become free. `ticket` was read before the plan.
  func carryOut(_ plan: PagerState.RoomPlan, ticket: UInt64) throws(StoreError) {
    switch plan {
    case .refuse(let error):
      throw error
    case .wait:
      progress.wait(past: ticket)
    case .writeBack(let request):
      writerBell.advance()
      if case .failed(let error) = request.wait() { throw error }
    }
  }

  func answer(to request: WriterRequest) throws(StoreError) -> WriterRequest.Answer {
    try state.withLock { state throws(StoreError) in
      try state.checkOpen()
      state.requests.append(request)
    }
    writerBell.advance()
    return request.wait()
  }
}
