#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Memory that is kept from call to call and grows when more is asked for. Its contents mean nothing between calls.
struct Workspace: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private var byteCount = 0

  deinit { free(base) }

  /// Room for `count` elements, aligned to a cache line.
  mutating func room<T>(_ count: Int, of type: T.Type = T.self) -> UnsafeMutablePointer<T> {
    let wanted = count * MemoryLayout<T>.stride
    if wanted > byteCount || base == nil {
      free(base)
      base = nil
      var memory: UnsafeMutableRawPointer?
      let rounded = max(wanted + wanted / 4, 4096)
      guard posix_memalign(&memory, 64, rounded) == 0, let memory else {
        preconditionFailure("out of memory: \(rounded) bytes for attention")
      }
      base = memory
      byteCount = rounded
    }
    return base!.assumingMemoryBound(to: type)
  }
}
