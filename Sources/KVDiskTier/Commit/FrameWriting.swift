import KVBlocks
import SafeLMDB

/// Frames to extents and away again.
extension Tables {
  /// Cuts `bytes` into extents under a new frame id.
  func putFrame(
    _ bytes: UnsafeRawBufferPointer, _ counters: inout StoreCounters, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> FrameReference {
    guard bytes.count > 0, bytes.count <= ExtentFormat.byteCountLimit else {
      throw .invalidArgument("a frame of \(bytes.count) bytes; it must have 1 to \(ExtentFormat.byteCountLimit)")
    }
    let frame = FrameReference(id: try counters.takeFrameID(), byteCount: bytes.count)
    for piece in 0..<ExtentFormat.pieceCount(of: bytes.count) {
      let key = Keys.extent(frame: frame.id, piece: piece)
      let byteCount = ExtentFormat.valueByteCount(ofPiece: piece, of: bytes.count)
      do {
        try transaction.put(key.span.bytes, byteCount: byteCount, in: extents, isLast: true) { value in
          ExtentFormat.write(piece: piece, of: bytes, frame: frame.id, into: value)
        }
      } catch {
        if error == .keyExists { throw .damagedRecord("counters", "frame id \(frame.id) was given before") }
        throw StoreError(error)
      }
    }
    return frame
  }

  /// Deletes a frame's extents; those that are missing are passed over.
  func deleteFrame(_ frame: FrameReference, _ transaction: inout WriteTransaction) throws(StoreError) {
    guard frame.byteCount > 0, frame.byteCount <= ExtentFormat.byteCountLimit else { return }
    for piece in 0..<ExtentFormat.pieceCount(of: frame.byteCount) {
      let key = Keys.extent(frame: frame.id, piece: piece)
      try transaction.remove(key.span.bytes, in: extents)
    }
  }
}
