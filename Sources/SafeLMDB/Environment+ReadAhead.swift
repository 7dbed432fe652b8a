import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Reading ahead: LMDB's own is off, because it reads what is not asked for; so what is asked for is named.
extension ReadTransaction {
  private static var readByteCount: Int { 64 << 10 }

  /// Before `runs`, which lie in the map, are read through: brings them into memory where the first is not there.
  ///
  /// They are read through the file, and the copies forgotten: the system then reads ahead in large pieces, which it
  /// maps in large pieces too. Cold, 41 MB took 17 ms so, 45 ms after `MADV_WILLNEED`, and 700 ms page by page.
  package borrowing func readAhead(_ runs: [UnsafeRawBufferPointer]) {
    guard let first = runs.first?.baseAddress, !Self.isResident(first) else { return }
    var descriptor: Int32 = -1
    guard let geometry = MapGeometry(handle.pointer),
      mdb_env_get_fd(mdb_txn_env(handle.pointer), &descriptor) == MDB_SUCCESS
    else { return }
    withUnsafeTemporaryAllocation(byteCount: Self.readByteCount, alignment: 64) { buffer in
      for run in runs {
        guard let start = run.baseAddress, let offset = geometry.offset(of: start) else { continue }
        for done in stride(from: 0, to: run.count, by: buffer.count) {
          let count = min(buffer.count, run.count - done)
          // A hint: what cannot be read is found by whoever reads the map.
          guard pread(descriptor, buffer.baseAddress, count, off_t(offset + done)) == count else { return }
        }
      }
    }
  }

  /// Whether the page at `address` is in memory.
  private static func isResident(_ address: UnsafeRawPointer) -> Bool {
    let page = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: address) & ~(UInt(getpagesize()) - 1))
    #if canImport(Darwin)
      var state: CChar = 0
    #else
      var state: UInt8 = 0
    #endif
    guard let page, mincore(page, 1, &state) == 0 else { return true }
    return state & 1 == 1
  }
}
