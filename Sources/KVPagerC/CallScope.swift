// Invariants:
// - `callCount` is the number of calls between `enter` and `leave`.
// - `isOpen` is read and written under the handle table's lock only, and never becomes true again.
#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The calls under way on a store's handles, or on a state, so that a close can wait for them.
final class CallScope: @unchecked Sendable {  // because: see the invariants; `callCount` changes under `mutex` only
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let ended: UnsafeMutablePointer<pthread_cond_t>
  private var callCount = 0
  private(set) var isOpen = true

  init() {
    mutex = .allocate(capacity: 1)
    ended = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(ended, nil)
  }

  deinit {
    pthread_cond_destroy(ended)
    pthread_mutex_destroy(mutex)
    ended.deallocate()
    mutex.deallocate()
  }

  func close() { isOpen = false }

  func enter() {
    pthread_mutex_lock(mutex)
    callCount += 1
    pthread_mutex_unlock(mutex)
  }

  func leave() {
    pthread_mutex_lock(mutex)
    callCount -= 1
    if callCount == 0 { pthread_cond_broadcast(ended) }
    pthread_mutex_unlock(mutex)
  }

  func waitForCalls() {
    pthread_mutex_lock(mutex)
    while callCount > 0 { pthread_cond_wait(ended, mutex) }
    pthread_mutex_unlock(mutex)
  }
}

/// Many readers or one writer: pthread's own, at one place for its life.
final class SharedLock: @unchecked Sendable {  // because: it is a lock
  private let lock: UnsafeMutablePointer<pthread_rwlock_t>

  init() {
    lock = .allocate(capacity: 1)
    pthread_rwlock_init(lock, nil)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  func shared<R>(_ body: () throws -> R) rethrows -> R {
    pthread_rwlock_rdlock(lock)
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  func exclusive<R>(_ body: () throws -> R) rethrows -> R {
    pthread_rwlock_wrlock(lock)
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }
}
