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

  /// Has the system map the file's pages a few at a time from now on. Where its page cache holds the file in large
  /// pieces, as after it was copied, each page touched would bring 2 MiB into this process's resident memory.
  package borrowing func mapFewPages() {
    #if os(Linux)
      guard let geometry = MapGeometry(handle.pointer) else { return }
      // Advice, which kernels without huge pages do not know.
      _ = madvise(UnsafeMutableRawPointer(mutating: geometry.start), geometry.byteCount, MADV_NOHUGEPAGE)
    #endif
  }

  /// The number of the commit that this snapshot shows.
  package var snapshot: UInt64 { UInt64(mdb_txn_id(handle.pointer)) }
}

extension TableReading where Self: ~Copyable {
  /// Tells where values lie in the file, to who reads many in the file's order. Nil where the file has no tables. For a
  /// transaction that has not written.
  package borrowing func mapOffsets() -> MapOffsets? {
    var descriptor: Int32 = -1
    guard let geometry = MapGeometry(handle.pointer),
      mdb_env_get_fd(mdb_txn_env(handle.pointer), &descriptor) == MDB_SUCCESS
    else { return nil }
    return MapOffsets(geometry: geometry, descriptor: descriptor)
  }
}

/// Where in the file the bytes of a map lie, or those of a copy of a part of it. For the snapshot that it was asked of.
package struct MapOffsets {
  private let start: UnsafeRawPointer
  private let byteCount: Int
  private let fileOffset: Int
  private let descriptor: Int32
  package let pageByteCount: Int

  init(geometry: MapGeometry, descriptor: Int32) {
    start = geometry.start
    byteCount = geometry.byteCount
    fileOffset = 0
    self.descriptor = descriptor
    pageByteCount = geometry.pageByteCount
  }

  private init(of original: MapOffsets, start: UnsafeRawPointer, byteCount: Int, fileOffset: Int) {
    self.start = start
    self.byteCount = byteCount
    self.fileOffset = fileOffset
    descriptor = original.descriptor
    pageByteCount = original.pageByteCount
  }

  /// Nil for memory elsewhere.
  package func offset(of pointer: UnsafeRawPointer) -> Int? {
    pointer >= start && pointer < start + byteCount ? pointer - start + fileOffset : nil
  }

  /// Copies a part of the map through the file, which maps no page: reading a large store through the map costs a page
  /// fault each 4 KiB where the system does not map more at a time. Nil where the file cannot be read, or ends before.
  package func copy(_ run: UnsafeRawBufferPointer, to buffer: UnsafeMutableRawBufferPointer) -> MapOffsets? {
    guard let base = run.baseAddress, let offset = offset(of: base), let target = buffer.baseAddress,
      run.count <= buffer.count
    else { return nil }
    var done = 0
    while done < run.count {
      let count = pread(descriptor, target + done, run.count - done, off_t(offset + done))
      guard count > 0 else { return nil }
      done += count
    }
    return MapOffsets(of: self, start: UnsafeRawPointer(target), byteCount: run.count, fileOffset: offset)
  }
}
