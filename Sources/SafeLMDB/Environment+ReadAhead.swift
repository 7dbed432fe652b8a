#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Reading ahead: LMDB's own is off, because it reads what is not asked for; so what is asked for is named.
extension Environment {
  /// Asks the operating system to read `bytes`, which lie in the map, ahead of their use. A hint: errors mean nothing.
  package static func willNeed(_ bytes: UnsafeRawBufferPointer) {
    guard let (start, count) = pageRange(of: bytes) else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), count, MADV_WILLNEED)
  }

  private static func pageRange(of bytes: UnsafeRawBufferPointer) -> (UnsafeRawPointer, Int)? {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return nil }
    let mask = UInt(getpagesize()) - 1
    let lead = Int(UInt(bitPattern: base) & mask)
    return (base - lead, bytes.count + lead)
  }

  /// Before `runs` are read through: where the first is not in memory, all are asked for at one time, since without
  /// LMDB's readahead each page would be a read of its own.
  package static func readAhead(_ runs: [UnsafeRawBufferPointer]) {
    guard let first = runs.first, !isResident(first) else { return }
    for run in runs { willNeed(run) }
  }

  /// Whether the first page of `bytes` is in memory.
  private static func isResident(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let (start, _) = pageRange(of: bytes) else { return true }
    #if canImport(Darwin)
      var state: CChar = 0
    #else
      var state: UInt8 = 0
    #endif
    guard mincore(UnsafeMutableRawPointer(mutating: start), 1, &state) == 0 else { return true }
    return state & 1 == 1
  }
}
