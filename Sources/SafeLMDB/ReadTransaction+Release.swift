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

extension TableReading where Self: ~Copyable {
  /// Tells where values lie in the file, to who reads many in the file's order. Nil where the file has no tables. For a
  /// transaction that has not written.
  package borrowing func mapOffsets() -> MapOffsets? { MapGeometry(handle.pointer).map { MapOffsets(geometry: $0) } }
}

/// Where in the file the bytes of a map lie. For the snapshot that it was asked of.
package struct MapOffsets {
  let geometry: MapGeometry

  package var pageByteCount: Int { geometry.pageByteCount }

  /// Nil for memory outside the map.
  package func offset(of pointer: UnsafeRawPointer) -> Int? { geometry.offset(of: pointer) }
}
