import KVBlocks
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// What the benchmarks ask of the operating system.
enum System {
  static func end(_ reason: String) -> Never {
    let line = Array("\(reason)\n".utf8)
    _ = write(2, line, line.count)
    exit(1)
  }

  /// Writes `byteCount` bytes of `source`, repeated, to a new file and syncs it: what a store cannot beat.
  static func writeFile(_ path: String, _ sources: [UnsafeRawBufferPointer]) {
    let file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0o644)
    precondition(file >= 0, "the folder for benchmarks can be written")
    for source in sources {
      var done = 0
      while done < source.count {
        let count = write(file, source.baseAddress.map { $0 + done }, source.count - done)
        precondition(count > 0, "the disk has room")
        done += count
      }
    }
    sync(file)
    close(file)
  }

  /// Overwrites 8 KiB of a file that exists and syncs, twice: what a small transaction does.
  static func writeTwice(_ path: String) {
    let file = open(path, O_CREAT | O_WRONLY, 0o644)
    let bytes = [UInt8](repeating: 7, count: 8192)
    for _ in 0..<2 {
      _ = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
      sync(file)
    }
    close(file)
  }

  private static func sync(_ file: Int32) {
    #if canImport(Darwin)
      _ = fcntl(file, F_FULLFSYNC)
    #else
      fdatasync(file)
    #endif
  }

  static func remove(_ folder: String) {
    for name in ["data.mdb", "lock.mdb", "activity"] { unlink(folder + "/" + name) }
    rmdir(folder)
  }

  /// Pages that this process touched for the first time.
  static var minorFaults: Int {
    var usage = rusage()
    #if canImport(Glibc)
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    #else
      getrusage(RUSAGE_SELF, &usage)
    #endif
    return usage.ru_minflt
  }

  /// As the command line does: see its setup.
  static func raiseMallocThresholds() {
    #if canImport(Glibc)
      typealias Mallopt = @convention(c) (_ parameter: Int32, _ value: Int32) -> Int32
      guard let symbol = dlsym(nil, "mallopt") else { return }
      let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
      if mallopt(-3, 1 << 30) == 0 { _ = mallopt(-3, 32 << 20) }
      _ = mallopt(-1, 1 << 30)
    #endif
  }

  /// Runs `body(0)` and `body(1)` on two threads.
  static func onTwoThreads(_ body: @escaping @Sendable (Int) -> Void) {
    final class Box: Sendable {
      let body: @Sendable (Int) -> Void
      init(_ body: @escaping @Sendable (Int) -> Void) { self.body = body }
    }
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(
      &thread, nil,
      { pointer in
        #if canImport(Darwin)
          let box = Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue()
        #else
          let box = Unmanaged<Box>.fromOpaque(pointer!).takeRetainedValue()
        #endif
        box.body(1)
        return nil
      }, box.toOpaque())
    body(0)
    #if canImport(Darwin)
      if let thread { pthread_join(thread, nil) }
    #else
      pthread_join(thread, nil)
    #endif
  }
}
