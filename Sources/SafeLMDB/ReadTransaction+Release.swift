import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

extension ReadTransaction {
  /// Takes the map's pages out of this process's resident memory; the system's page cache keeps them. A scan through a
  /// large store calls it now and then, so that its memory stays small. What is read next is mapped again.
  package borrowing func releaseMap() {
    guard let geometry = MapGeometry(handle.pointer) else { return }
    // Advice: where it is not taken, nothing is lost but memory.
    _ = madvise(UnsafeMutableRawPointer(mutating: geometry.start), geometry.byteCount, MADV_DONTNEED)
  }

  /// The number of the commit that this snapshot shows.
  package var snapshot: UInt64 { UInt64(mdb_txn_id(handle.pointer)) }
}
