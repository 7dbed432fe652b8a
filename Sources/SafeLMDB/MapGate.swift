#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - A transaction of this process is live only between `enter` and `leave` on one thread.
// - `whileNoneIsLive` runs its body when no thread is between the two.

/// Keeps the map where it is while a transaction of this process is live: LMDB may move it only when there is none.
final class MapGate: @unchecked Sendable {  // because: a pthread_rwlock_t at a fixed address is made for sharing
  private let lock: UnsafeMutablePointer<pthread_rwlock_t>

  init() {
    lock = .allocate(capacity: 1)
    lock.initialize(to: pthread_rwlock_t())
    pthread_rwlock_init(lock, nil)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  func enter() { pthread_rwlock_rdlock(lock) }
  func leave() { pthread_rwlock_unlock(lock) }

  func whileNoneIsLive<R>(_ body: () -> R) -> R {
    pthread_rwlock_wrlock(lock)
    defer { pthread_rwlock_unlock(lock) }
    return body()
  }
}
