// Invariants:
// - One run at a time: callers of `run` take turns. A run's items are claimed from the shares that they are dealt out
//   in, each by one member, and counted by `openCount`.
// - `run` returns when `openCount` is 0: no member is inside the body then, and none enters it again.
import KVBlocks
import Synchronization

/// Threads that work off numbered items together with their caller. Each begins with a share of items that follow one
/// another, so that what it reads lies in order too, and then helps the others.
final class WorkTeam: Sendable {
  private final class Share: Sendable {
    let next: Atomic<Int>
    let end: Int

    init(_ items: Range<Int>) {
      next = Atomic(items.lowerBound)
      end = items.upperBound
    }

    func claim() -> Int? {
      let item = next.add(1, ordering: .relaxed).oldValue
      return item < end ? item : nil
    }
  }

  private final class Run: Sendable {
    let body: @Sendable (_ item: Int) -> Void
    let shares: [Share]
    let joinedCount = Atomic(0)
    let openCount: Atomic<Int>

    init(itemCount: Int, shareCount: Int, body: @escaping @Sendable (Int) -> Void) {
      self.body = body
      shares = (0..<shareCount).map {
        Share(itemCount * $0 / shareCount..<itemCount * ($0 + 1) / shareCount)
      }
      openCount = Atomic(itemCount)
    }
  }

  private final class Board: Sendable {
    let run = Lock<Run?>(nil)
    let isStopping = Atomic(false)
    let begun = EventCount()
    let ended = EventCount()

    func work(on run: Run) {
      let first = run.joinedCount.add(1, ordering: .relaxed).oldValue
      for offset in run.shares.indices {
        let share = run.shares[(first + offset) % run.shares.count]
        while let item = share.claim() {
          run.body(item)
          if run.openCount.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { ended.advance() }
        }
      }
    }

    func serve() {
      while true {
        let ticket = begun.ticket
        if isStopping.load(ordering: .acquiring) { return }
        if let run = run.withLock({ $0 }) { work(on: run) }
        begun.wait(past: ticket, watchingMicroseconds: WorkTeam.watchedMicroseconds)
      }
    }
  }

  /// How long a member that has nothing to do looks out for more before it sleeps: waking one takes as long as a whole
  /// short call.
  private static let watchedMicroseconds = 50

  /// The caller of `run` is one of them.
  let memberCount: Int
  private let board = Board()
  private let threads: [WorkerThread]

  init(memberCount: Int) throws(StoreError) {
    precondition(memberCount > 0, "a team has its caller")
    self.memberCount = memberCount
    var threads: [WorkerThread] = []
    do throws(StoreError) {
      for _ in 1..<memberCount {
        let board = board
        threads.append(try WorkerThread(name: "kv-attention") { board.serve() })
      }
    } catch {
      Self.stop(board, threads)
      throw error
    }
    self.threads = threads
  }

  deinit { Self.stop(board, threads) }

  private static func stop(_ board: Board, _ threads: [WorkerThread]) {
    board.isStopping.store(true, ordering: .releasing)
    board.begun.advance()
    for thread in threads { thread.join() }
  }

  /// Calls `body` once for each item, from several threads, and returns when all are done. One call at a time.
  func run(itemCount: Int, _ body: @escaping @Sendable (_ item: Int) -> Void) {
    guard itemCount > 1, memberCount > 1 else {
      for item in 0..<itemCount { body(item) }
      return
    }
    let run = Run(itemCount: itemCount, shareCount: memberCount, body: body)
    board.run.withLock { $0 = run }
    board.begun.advance()
    board.work(on: run)
    while true {
      let ticket = board.ended.ticket
      if run.openCount.load(ordering: .acquiring) == 0 { break }
      board.ended.wait(past: ticket, watchingMicroseconds: Self.watchedMicroseconds)
    }
    board.run.withLock { $0 = nil }
  }
}
