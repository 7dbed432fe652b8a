#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants: `owner` is the thread inside `enter`, nil outside.

/// Lets one thread at a time change a session. Unlike a `Lock` it may be held across I/O and the caller's closures, and
/// it names the mistake when such a closure comes back in.
final class SerialGate: @unchecked Sendable {  // because: every field is read and written under `mutex` only
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let freed: UnsafeMutablePointer<pthread_cond_t>
  private var owner: pthread_t?

  init() {
    mutex = .allocate(capacity: 1)
    freed = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(freed, nil)
  }

  deinit {
    pthread_cond_destroy(freed)
    pthread_mutex_destroy(mutex)
    freed.deallocate()
    mutex.deallocate()
  }

  func enter<R: ~Copyable>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
    acquire()
    defer { release() }
    return try body()
  }

  /// Whether this thread is the one inside.
  var isMine: Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return owner.map { pthread_equal($0, pthread_self()) != 0 } ?? false
  }

  private func acquire() {
    pthread_mutex_lock(mutex)
    if let owner {
      precondition(pthread_equal(owner, pthread_self()) == 0, "a session is changed from inside its own append closure")
    }
    while owner != nil { pthread_cond_wait(freed, mutex) }
    owner = pthread_self()
    pthread_mutex_unlock(mutex)
  }

  private func release() {
    pthread_mutex_lock(mutex)
    owner = nil
    pthread_cond_signal(freed)
    pthread_mutex_unlock(mutex)
  }
}
