#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// The process's address space, which a limit (`ulimit -v`) may make smaller than a generous map.
enum AddressSpace {
  /// Below this no map is worth having: let the system refuse it.
  private static let leastByteCount = 16 << 20

  /// `wanted` bytes where they fit; else the largest half, quarter, eighth ... that fits twice, so that RAM has room
  /// beside the map, or once where `least` bytes need it. Nil where nothing fits.
  static func mapByteCount(wanted: Int, least: Int) -> Int? {
    guard !fits(wanted) else { return wanted }
    var byteCount = wanted / 2
    while byteCount > max(least, leastByteCount) {
      // Whole pages of any system.
      byteCount &= ~0xffff
      if fits(byteCount) { return byteCount / 2 > max(least, leastByteCount) ? byteCount / 2 & ~0xffff : byteCount }
      byteCount /= 2
    }
    return nil
  }

  static func fits(_ byteCount: Int) -> Bool {
    guard let address = mmap(nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0), address != MAP_FAILED else {
      return false
    }
    munmap(address, byteCount)
    return true
  }
}
