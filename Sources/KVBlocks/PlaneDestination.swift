/// Where the rows of one plane go in the caller's memory: just their bytes, token-major.
///
/// The memory must stay while the read runs, and nobody else may touch it meanwhile.
public struct PlaneDestination: @unchecked Sendable {  // because: the caller gives the memory away for the read
  /// The plane's position in the layout.
  public let plane: Int
  /// As many rows as the read asks for, `rowByteCount` bytes each.
  public let bytes: UnsafeMutableRawBufferPointer

  public init(plane: Int, bytes: UnsafeMutableRawBufferPointer) {
    self.plane = plane
    self.bytes = bytes
  }
}
