import KVDiskTier

/// What frames take in a store's file.
package enum StoredSize {
  /// Bytes of the file that a frame of so many bytes takes: its extents with their headers and padding. 0 where no
  /// frame can be so long.
  package static func diskByteCount(ofFrame byteCount: Int) -> Int {
    FrameReference.diskByteCount(ofFrame: byteCount)
  }
}
