extension FrameReference {
  /// Bytes of the file that the frame's extents take, LMDB's page headers and the padding of the last included.
  package var diskByteCount: Int {
    byteCount > 0 && byteCount <= ExtentFormat.byteCountLimit ? ExtentFormat.storedByteCount(of: byteCount) : 0
  }
}
