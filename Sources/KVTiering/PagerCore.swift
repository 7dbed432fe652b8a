// Invariants:
// - `state` is never locked across I/O, the codec, a wait or a caller's code: plan under the lock, do outside, settle
//   under it.
// - `progress` advances after every change that may give a frame to somebody who waits for one.
// - Only the writer thread calls the disk tier's `commit`.
import KVBlocks
import Synchronization

/// What a pager's threads share. They keep it alive, and never the pager itself, which ends them when it goes.
final class PagerCore: Sendable {
  let configuration: PagerConfiguration
  let cold: any ColdTier
  let state: Lock<PagerState>
  let progress = EventCount()
  let writerBell = EventCount()
  let loadPool: LoadPool
  /// The writer sleeps until it is told that something was done, see ``ActivityTeller``.
  let isDozing = Atomic(false)

  init(configuration: PagerConfiguration, cold: any ColdTier) {
    self.configuration = configuration
    self.cold = cold
    state = Lock(PagerState(configuration: configuration))
    loadPool = LoadPool(threadCount: configuration.loadThreadCount)
  }

  func isProtected(_ key: BlockKey) -> Bool { state.withLock { $0.protections[key] != nil } }

  /// For the disk tier on the writer thread; ``settleDeletions()`` must follow.
  func mustKeep(_ key: BlockKey) -> Bool { state.withLock { $0.mustKeep(key) } }

  func settleDeletions() {
    let hadAny = state.withLock { state in
      defer { state.settleCondemned() }
      return !state.condemned.isEmpty
    }
    if hadAny { progress.advance() }
  }

  /// Sleeps while the writer may be deleting a block: a look-up now could find what is gone in a moment.
  /// Protect them first, so that this happens once.
  func awaitDeletion(of key: BlockKey) {
    while true {
      let ticket = progress.ticket
      guard state.withLock({ $0.condemned.contains(key) }) else { return }
      progress.wait(past: ticket)
    }
  }

  func awaitDeletions(of hashes: [BlockHash], in space: SpaceID) {
    while true {
      let ticket = progress.ticket
      let isCondemned = state.withLock { state in
        !state.condemned.isEmpty
          && hashes.contains { state.condemned.contains(BlockKey(space: space, hash: $0)) }
      }
      guard isCondemned else { return }
      progress.wait(past: ticket)
    }
  }

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
