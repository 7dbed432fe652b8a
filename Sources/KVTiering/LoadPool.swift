// Invariants:
// - Every job handed in is run to its end, also while stopping: somebody may wait for its frames.
// - The threads keep the pool alive; `stop()` must be called for them to end.
// - A job's item is claimed by exactly one thread; the last one to finish an item wakes the job's owner.
import KVBlocks
import Synchronization

/// A few threads for loads and for the codec. Who waits for a job works on it too, so a job never depends on a free
/// thread.
final class LoadPool: Sendable {
  private final class Job: Sendable {
    let count: Int
    let body: @Sendable (Int) -> Void
    let next = Atomic<Int>(0)
    let finished = Atomic<Int>(0)
    let done = EventCount()

    init(count: Int, body: @escaping @Sendable (Int) -> Void) {
      self.count = count
      self.body = body
    }

    var isClaimed: Bool { next.load(ordering: .relaxed) >= count }
    var isFinished: Bool { finished.load(ordering: .sequentiallyConsistent) == count }

    func work() {
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(index)
        if finished.add(1, ordering: .sequentiallyConsistent).newValue == count { done.advance() }
      }
    }
  }

  private struct Queue {
    var jobs: [Job] = []
    var isStopping = false
  }

  private let queue = Lock(Queue())
  private let arrivals = EventCount()
  private let threads = Lock<[WorkerThread]>([])

  init(threadCount: Int) {
    // Fewer threads than asked for make loads slower and nothing else.
    for number in 0..<max(0, threadCount) {
      guard
        let thread = try? WorkerThread(name: "kvpager-load-\(number)", body: { self.serve() })
      else { break }
      threads.withLock { $0.append(thread) }
    }
  }

  /// Returns as soon as all threads have nothing to do, or after so long.
  func awaitIdleness(milliseconds: Int) {
    arrivals.awaitSleepers(threads.withLock { $0.count }, milliseconds: milliseconds)
  }

  var hasThreads: Bool { threads.withLock { !$0.isEmpty } }

  /// Runs `body(0..<count)` on the caller's thread and the pool's, and returns when all of it is done.
  func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    guard count > 1, hasThreads else {
      for index in 0..<count { body(index) }
      return
    }
    let job = Job(count: count, body: body)
    _ = enqueue(job)
    job.work()
    while true {
      let ticket = job.done.ticket
      if job.isFinished { return }
      job.done.wait(past: ticket)
    }
  }

  /// Runs `body(0..<count)` on the pool's threads some time later; at once where the pool is stopping.
  func submit(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let job = Job(count: count, body: body)
    if !enqueue(job) { job.work() }
  }

  /// Finishes what was handed in and ends the threads.
  func stop() {
    queue.withLock { $0.isStopping = true }
    arrivals.advance()
    let ending = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in ending { thread.join() }
  }

  /// False where the threads are going: they might not see the job any more.
  private func enqueue(_ job: Job) -> Bool {
    let isTaken = queue.withLock { queue in
      if !queue.isStopping { queue.jobs.append(job) }
      return !queue.isStopping
    }
    if isTaken { arrivals.advance() }
    return isTaken
  }

  private func serve() {
    while true {
      let ticket = arrivals.ticket
      let (job, isStopping) = queue.withLock { queue -> (Job?, Bool) in
        queue.jobs.removeAll { $0.isClaimed }
        return (queue.jobs.first, queue.isStopping)
      }
      if let job {
        job.work()
      } else if isStopping {
        return
      } else {
        arrivals.wait(past: ticket)
      }
    }
  }
}
