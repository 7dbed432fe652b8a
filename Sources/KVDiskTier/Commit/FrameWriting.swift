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

  /// Deletes a frame's extents; those that are missing are passed over, and those that LMDB could not delete safely.
  func deleteFrame(_ frame: FrameReference, _ transaction: inout WriteTransaction) throws(StoreError) {
    guard frame.byteCount > 0, frame.byteCount <= ExtentFormat.byteCountLimit else { return }
    for piece in 0..<ExtentFormat.pieceCount(of: frame.byteCount) {
      try deleteExtent(frame: frame.id, piece: piece, &transaction)
    }
  }

  /// Deletes one extent. LMDB trusts the header of the pages that it frees, and a damaged one would free the pages of
  /// others: such an extent stays where it is. False then, and where there is none.
  @discardableResult
  func deleteExtent(
    frame: UInt64, piece: Int, _ transaction: inout WriteTransaction
  ) throws(StoreError) -> Bool {
    let key = Keys.extent(frame: frame, piece: piece)
    guard try isDeletionSafe(key.span.bytes, transaction) else { return false }
    return try transaction.remove(key.span.bytes, in: extents)
  }

  func isDeletionSafe(_ key: RawSpan, _ transaction: borrowing WriteTransaction) throws(StoreError) -> Bool {
    guard let value = try transaction.read(key, in: extents) else { return false }
    let pageByteCount = transaction.pageByteCount
    return value.withUnsafeBytes { bytes in
      // A value that lies in a leaf has no pages of its own.
      guard bytes.count > LMDBFormat.nodeByteCountLimit(pageByteCount: pageByteCount), let value = bytes.baseAddress
      else { return true }
      let start = value - LMDBRunHeader.byteCount
      // Pages of this very transaction are memory that nobody but LMDB wrote.
      guard let page = transaction.pageNumber(at: start) else { return true }
      return LMDBRunHeader(UnsafeRawBufferPointer(start: start, count: LMDBRunHeader.byteCount))
        .isExact(page: page, valueByteCount: bytes.count, pageByteCount: pageByteCount)
    }
  }
}
