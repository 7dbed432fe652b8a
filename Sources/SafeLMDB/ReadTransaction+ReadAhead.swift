import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Reading ahead: LMDB's own is off, because it reads what is not asked for; so what is asked for is named.
extension ReadTransaction {
  private static var readByteCount: Int { 64 << 10 }

  /// Before `runs`, which lie in the map, are read through: brings those into memory that are not wholly there.
  ///
  /// They are read through the file, and the copies forgotten: the system then reads ahead in large pieces, which it
  /// maps in large pieces too. Cold, 41 MB took 17 ms so, 45 ms after `MADV_WILLNEED`, and 700 ms page by page.
  package borrowing func readAhead(_ runs: [UnsafeRawBufferPointer]) {
    let missing = runs.filter { !Self.isResident($0) }
    guard !missing.isEmpty else { return }
    var descriptor: Int32 = -1
    guard let geometry = MapGeometry(handle.pointer),
      mdb_env_get_fd(mdb_txn_env(handle.pointer), &descriptor) == MDB_SUCCESS
    else { return }
    withUnsafeTemporaryAllocation(byteCount: Self.readByteCount, alignment: 64) { buffer in
      for run in missing {
        guard let start = run.baseAddress, let offset = geometry.offset(of: start) else { continue }
        for done in stride(from: 0, to: run.count, by: buffer.count) {
          let count = min(buffer.count, run.count - done)
          // A hint: what cannot be read is found by whoever reads the map.
          guard pread(descriptor, buffer.baseAddress, count, off_t(offset + done)) == count else { return }
        }
      }
    }
  }

  /// Whether all pages of `run` are in memory. Its beginning alone does not tell: the system may be reading ahead.
  private static func isResident(_ run: UnsafeRawBufferPointer) -> Bool {
    guard let base = run.baseAddress, run.count > 0 else { return true }
    let pageByteCount = Int(getpagesize())
    let lead = Int(UInt(bitPattern: base) & UInt(pageByteCount - 1))
    let pageCount = (lead + run.count + pageByteCount - 1) / pageByteCount
    let first = UnsafeMutableRawPointer(mutating: base - lead)
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: pageCount) { states in
      #if canImport(Darwin)
        let code = states.withMemoryRebound(to: CChar.self) {
          mincore(first, pageCount * pageByteCount, $0.baseAddress)
        }
      #else
        let code = mincore(first, pageCount * pageByteCount, states.baseAddress)
      #endif
      return code != 0 || states.allSatisfy { $0 & 1 == 1 }
    }
  }
}
