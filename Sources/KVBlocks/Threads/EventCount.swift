// Invariants:
// - `generation` only grows. Who read a ticket before looking at the guarded state misses no later `advance()`.
// - An `advance()` that sees no waiter comes before that waiter's look at `generation`, so skipping the broadcast is
//   safe.
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Sleeping until something has changed, without holding the lock that guards what changes.
///
/// Read `ticket`, look at the state under its own lock, and where it does not suit, `wait(past: ticket)`.
package final class EventCount: Sendable {
  private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>  // because: made to be shared
  private nonisolated(unsafe) let condition: UnsafeMutablePointer<pthread_cond_t>  // because: made to be shared
  private let generation = Atomic<UInt64>(0)
  private let waiterCount = Atomic<Int>(0)

  package init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package var ticket: UInt64 { generation.load(ordering: .sequentiallyConsistent) }

  package func advance() {
    generation.add(1, ordering: .sequentiallyConsistent)
    guard waiterCount.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  package func wait(past ticket: UInt64) {
    waiterCount.add(1, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    while self.ticket == ticket { pthread_cond_wait(condition, mutex) }
    pthread_mutex_unlock(mutex)
    waiterCount.subtract(1, ordering: .sequentiallyConsistent)
  }

  /// As ``wait(past:)``, but looks for so long before it sleeps.
  package func wait(past ticket: UInt64, watchingMicroseconds count: Int) {
    var started = timespec()
    clock_gettime(CLOCK_MONOTONIC, &started)
    while true {
      for _ in 0..<64 where self.ticket != ticket { return }
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      let passed = (now.tv_sec - started.tv_sec) * 1_000_000 + (now.tv_nsec - started.tv_nsec) / 1000
      if passed >= count { break }
    }
    wait(past: ticket)
  }

  /// Returns as soon as `count` threads sleep here, or after so long.
  package func awaitSleepers(_ count: Int, milliseconds: Int) {
    for _ in 0..<milliseconds * 20 {
      if waiterCount.load(ordering: .sequentiallyConsistent) >= count { return }
      usleep(50)
    }
  }

  /// As ``wait(past:)``, for at most so long.
  package func wait(past ticket: UInt64, milliseconds: Int) {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    let nanoseconds = Int(deadline.tv_nsec) + (milliseconds % 1000) * 1_000_000
    deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    waiterCount.add(1, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    while self.ticket == ticket {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
    }
    pthread_mutex_unlock(mutex)
    waiterCount.subtract(1, ordering: .sequentiallyConsistent)
  }
}
