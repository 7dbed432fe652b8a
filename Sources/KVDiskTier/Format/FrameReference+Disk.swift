extension FrameReference {
  /// Bytes of the file that the frame's extents take, LMDB's page headers and the padding of the last included.
  package var diskByteCount: Int { Self.diskByteCount(ofFrame: byteCount) }

  /// The same for a frame of so many bytes; 0 for a size that no frame has.
  package static func diskByteCount(ofFrame byteCount: Int) -> Int {
    byteCount > 0 && byteCount <= ExtentFormat.byteCountLimit ? ExtentFormat.storedByteCount(of: byteCount) : 0
  }
}
