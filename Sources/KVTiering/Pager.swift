// Invariants: those of PagerCore and PagerState, which hold all that changes.
import KVBlocks
import KVMemoryTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Decides which blocks lie in RAM: looks up, pins, loads, evicts and writes back, over one pool and one disk tier.
///
/// Safe to call from any thread; every call may block, so none belongs on Swift's cooperative pool. After any
/// `StoreError` all goes on; what was not written stays dirty and is tried again.
package final class Pager: Sendable {
  let core: PagerCore
  private let writerThread = Lock<WorkerThread?>(nil)
  private let processID = getpid()

  /// Starts the writer and the load threads. Where the system gives no thread, every call that needs one throws.
  package init(configuration: PagerConfiguration, cold: any ColdTier) {
    let core = PagerCore(configuration: configuration, cold: cold)
    self.core = core
    do {
      let thread = try WorkerThread(name: "kvpager-writer", body: { core.write() })
      writerThread.withLock { $0 = thread }
    } catch {
      core.state.withLock { $0.refusal = error }
    }
  }

  deinit {
    // In a fork()ed child there are no threads to end, and nobody would answer.
    guard getpid() == processID else { return }
    // A cache may forget: whoever wants the dirty blocks on disk, or an error, calls close().
    try? close()
  }

  /// Returns as soon as the threads have begun and have nothing to do, or after a tenth of a second.
  package func awaitIdleThreads() {
    guard writerThread.withLock({ $0 != nil }) else { return }
    core.loadPool.awaitIdleness(milliseconds: 100)
    core.writerBell.awaitSleepers(1, milliseconds: 100)
  }

  // MARK: Protection

  /// Counted. Protected blocks are not deleted by the quota, and dirty ones are never dropped. Protect before sealing
  /// or looking up what a session will refer to.
  package func protect(_ keys: [BlockKey]) { core.state.withLock { $0.protect(keys) } }

  package func unprotect(_ keys: [BlockKey]) { core.state.withLock { $0.unprotect(keys) } }

  package func isProtected(_ key: BlockKey) -> Bool { core.isProtected(key) }

  /// Asked by what deletes blocks inside ``performOnWriter(_:)``: protected blocks, and those that a lease or a load
  /// needs, stay. Who looks up another one waits until the deletion is done.
  package func mustKeep(_ key: BlockKey) -> Bool { core.mustKeep(key) }

  // MARK: Ending

  /// Writes back what is dirty and stops the threads; every later call throws `closed`, while leases keep their frames.
  ///
  /// - Throws: `closed` on a second call; the writer's error where dirty blocks could not be stored. The pager is
  ///   closed then too.
  package func close() throws(StoreError) {
    let flush = WriterRequest(.flushAll)
    let thread = writerThread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let thread else {
      // Closed before, or the writer never was.
      core.loadPool.stop()
      throw core.state.withLock { $0.refusal } ?? PagerState.closed
    }
    core.state.withLock { state in
      state.refusal = PagerState.closed
      state.writer.isStopping = true
      state.requests.append(flush)
    }
    core.writerBell.advance()
    core.progress.advance()
    core.loadPool.stop()
    // The last reference may go on the writer thread itself, which then ends by itself.
    if thread.isCurrent { return thread.detach() }
    let answer = flush.wait()
    thread.join()
    if case .failed(let error) = answer { throw error }
  }

  /// What the pager did and holds.
  package var statistics: PagerStatistics { core.state.withLock { $0.statistics } }

  /// Checks the list at the head of PagerState.swift, and the pool's. Stops the process where one is broken.
  package func assertInvariants() { core.state.withLock { $0.assertInvariants() } }

  /// Requests that the writer thread has not taken up yet.
  package var waitingRequestCount: Int { core.state.withLock { $0.requests.count } }
}
