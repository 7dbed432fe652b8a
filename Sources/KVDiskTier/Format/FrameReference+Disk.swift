extension FrameReference {
  /// Bytes of the file that the frame's extents take, LMDB's page headers and the padding of the last included.
  package var diskByteCount: Int { Self.diskByteCount(ofFrame: byteCount) }

  /// That of a frame of so many bytes; 0 where no frame can be so long.
  package static func diskByteCount(ofFrame byteCount: Int) -> Int {
    byteCount > 0 && byteCount <= ExtentFormat.byteCountLimit ? ExtentFormat.storedByteCount(of: byteCount) : 0
  }
}
