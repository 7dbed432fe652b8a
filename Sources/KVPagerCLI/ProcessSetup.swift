#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the process is set to before it does anything.
enum ProcessSetup {
  static func apply() {
    holdStandardDescriptors()
    // A reader that closes its pipe becomes an error of `write`, which the commands answer for.
    signal(SIGPIPE, SIG_IGN)
    // As does a limit on the size of files: an export then leaves nothing half written behind.
    signal(SIGXFSZ, SIG_IGN)
    raiseMallocThresholds()
  }

  /// A process may be started without them. The first files that it opens would take their numbers, and what is meant
  /// for a reader would be written into a store's file.
  private static func holdStandardDescriptors() {
    while case let descriptor = open("/dev/null", O_RDWR), descriptor >= 0 {
      guard descriptor > STDERR_FILENO else { continue }
      close(descriptor)
      return
    }
  }

  /// Who asks a store about itself can wait; who uses it should not have to. A writer at full speed on all processors
  /// keeps most of them.
  static func giveWay() {
    // Without effect where the system refuses: then both go at one pace.
    _ = nice(10)
  }

  /// LMDB mallocs every dirty value and frees it at the commit. glibc would map and unmap each: page faults cost more
  /// than the copy. The thresholds are process-wide, so executables set them, never a library.
  private static func raiseMallocThresholds() {
    #if canImport(Glibc)
      // Swift's Glibc module leaves malloc.h out, and other C libraries have no such function.
      typealias Mallopt = @convention(c) (_ parameter: Int32, _ value: Int32) -> Int32
      guard let symbol = dlsym(nil, "mallopt") else { return }
      let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
      let trimThreshold: Int32 = -1
      let mmapThreshold: Int32 = -3
      // Older versions of glibc take no more than 32 MiB.
      if mallopt(mmapThreshold, 1 << 30) == 0 { _ = mallopt(mmapThreshold, 32 << 20) }
      _ = mallopt(trimThreshold, 1 << 30)
    #endif
  }
}
