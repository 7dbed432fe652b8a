import Synchronization

#if THREAD_SANITIZER
  #if canImport(Darwin)
    import Darwin
  #elseif canImport(Glibc)
    import Glibc
  #endif

  /// `Mutex` in terms of pthreads, for builds under ThreadSanitizer only.
  ///
  /// The sanitizer does not see the slow path of `Synchronization.Mutex`, which lies in a library built without it, and
  /// reports a race on whatever the mutex guards as soon as two threads contend. It knows pthread's calls.
  package struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {  // because: the mutex guards the value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    package init(_ initialValue: consuming sending Value) {
      mutex = .allocate(capacity: 1)
      pthread_mutex_init(mutex, nil)
      value = .allocate(capacity: 1)
      value.initialize(to: initialValue)
    }

    deinit {
      value.deinitialize(count: 1)
      value.deallocate()
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
    }

    package borrowing func withLock<R: ~Copyable, E: Error>(
      _ body: (inout sending Value) throws(E) -> sending R
    ) throws(E) -> sending R {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      return try body(&value.pointee)
    }
  }
#else
  /// The house's lock around a value: `Mutex`, unless the build is for ThreadSanitizer (`-DTHREAD_SANITIZER`).
  package typealias Lock<Value: ~Copyable> = Mutex<Value>
#endif
