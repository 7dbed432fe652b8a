import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Watches a file grow while one long call of a library writes it.
final class FileGrowth: Sendable {
  private let isStopped = Atomic(false)
  private let hasEnded = Atomic(false)

  /// - Parameter body: is told the file's bytes, ten times a second, on a thread of its own.
  init(of path: String, _ body: @escaping @Sendable (Int) -> Void) {
    let hasStarted = startThread { [self] in
      while !isStopped.load(ordering: .acquiring) {
        var status = stat()
        if stat(path, &status) == 0 { body(Int(status.st_size)) }
        usleep(100_000)
      }
      hasEnded.store(true, ordering: .releasing)
    }
    if !hasStarted { hasEnded.store(true, ordering: .releasing) }
  }

  /// Nothing is told any more when this returns.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    while !hasEnded.load(ordering: .acquiring) { usleep(1_000) }
  }
}

/// Runs `body` on a thread of its own. False where there is none to be had.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  let work = Unmanaged.passRetained(Work(body))
  #if canImport(Darwin)
    var thread: pthread_t?
  #else
    var thread = pthread_t()
  #endif
  let code = pthread_create(
    &thread, nil,
    { argument in
      #if canImport(Darwin)
        let work = Unmanaged<Work>.fromOpaque(argument)
      #else
        guard let argument else { return nil }
        let work = Unmanaged<Work>.fromOpaque(argument)
      #endif
      work.takeRetainedValue().body()
      return nil
    }, work.toOpaque())
  guard code == 0 else {
    work.release()
    return false
  }
  #if canImport(Darwin)
    if let thread { pthread_detach(thread) }
  #else
    pthread_detach(thread)
  #endif
  return true
}
