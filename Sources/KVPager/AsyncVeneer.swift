import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs blocking work for `async` callers on threads of its own, so that Swift's cooperative pool never waits for a
/// disk.
///
/// Threads are made on demand up to `threadLimit` and end when they are idle: a program that stays synchronous pays
/// nothing.
final class BlockingExecutor: Sendable {
  static let shared = BlockingExecutor(threadLimit: 16)

  private struct State {
    var jobs: [@Sendable () -> Void] = []
    var threadCount = 0
  }

  private let state = Lock(State())
  private let threadLimit: Int

  init(threadLimit: Int) { self.threadLimit = threadLimit }

  func run(_ job: @escaping @Sendable () -> Void) {
    let needsThread = state.withLock { state in
      state.jobs.append(job)
      guard state.threadCount < threadLimit else { return false }
      state.threadCount += 1
      return true
    }
    if needsThread, !Self.startThread(self) {
      // No thread to be had: the caller's does the work, late rather than never.
      drain()
    }
  }

  private func nextJob() -> (@Sendable () -> Void)? {
    state.withLock { state in
      guard !state.jobs.isEmpty else {
        state.threadCount -= 1
        return nil
      }
      return state.jobs.removeFirst()
    }
  }

  private func drain() {
    while let job = nextJob() { job() }
  }

  private static func startThread(_ executor: BlockingExecutor) -> Bool {
    let context = Unmanaged.passRetained(executor)
    #if canImport(Darwin)
      var thread: pthread_t?
      let status = pthread_create(&thread, nil, { drainEntry($0) }, context.toOpaque())
      guard status == 0, let thread else {
        context.release()
        return false
      }
    #else
      var thread = pthread_t()
      let status = pthread_create(&thread, nil, { drainEntry($0) }, context.toOpaque())
      guard status == 0 else {
        context.release()
        return false
      }
    #endif
    pthread_detach(thread)
    return true
  }

  fileprivate static func runUntilIdle(_ context: UnsafeMutableRawPointer) {
    Unmanaged<BlockingExecutor>.fromOpaque(context).takeRetainedValue().drain()
  }
}

private func drainEntry(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context { BlockingExecutor.runUntilIdle(context) }
  return nil
}

/// Runs `body` on a thread that may block and hands its outcome to the awaiting task.
func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    BlockingExecutor.shared.run { continuation.resume(with: Result { try body() }) }
  }
}
