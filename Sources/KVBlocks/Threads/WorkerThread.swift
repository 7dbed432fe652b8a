#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A named operating-system thread: what blocks in I/O never runs on Swift's cooperative pool.
package struct WorkerThread: @unchecked Sendable {  // because: a pthread_t is a name for a thread, meant to be passed about
  /// Room for the codec's and LMDB's frames with ease, also under the sanitizers.
  static let stackByteCount = 2 << 20

  private let thread: pthread_t

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// - Throws: `inputOutput` where the system gives no more threads.
  package init(name: String, body: @escaping @Sendable () -> Void) throws(StoreError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, Self.stackByteCount)
    defer { pthread_attr_destroy(&attributes) }
    #if canImport(Darwin)
      var created: pthread_t?
    #else
      var created: pthread_t = 0
    #endif
    let code = pthread_create(&created, &attributes, { Self.run($0) }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw StoreError(
        .inputOutput, "the system gives no thread for \(name); end other work or raise the limit (ulimit -u)",
        cause: "pthread_create: error \(code)")
    }
    #if canImport(Darwin)
      guard let created else { preconditionFailure("a created thread has a name") }
    #endif
    thread = created
  }

  package var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }

  package func join() { pthread_join(thread, nil) }
  package func detach() { pthread_detach(thread) }

  /// Names the current thread for debuggers and `top`; without effect where the system does not let it.
  private static func name(_ name: String) {
    #if canImport(Darwin)
      pthread_setname_np(name)
    #else
      // Glibc's own call is hidden from Swift behind _GNU_SOURCE.
      let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { return }
      var text = name
      _ = text.withUTF8 { Glibc.write(file, $0.baseAddress, min($0.count, 15)) }
      Glibc.close(file)
    #endif
  }

  private static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    name(start.name)
    start.body()
    return nil
  }
}
