import KVBlocks
import SafeLMDB

/// A frame's pieces where they lie in the map.
extension Tables {
  /// The payloads of a frame's extents, in order. The pointers live as long as the transaction.
  /// - Throws: `damaged` where a piece is missing, of another frame, or too short.
  func pieces(
    of frame: FrameReference, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> [UnsafeRawBufferPointer] {
    guard frame.byteCount > 0, frame.byteCount <= ExtentFormat.byteCountLimit else {
      throw .damagedRecord("block", "a frame of \(frame.byteCount) bytes")
    }
    let count = ExtentFormat.pieceCount(of: frame.byteCount)
    var pieces: [UnsafeRawBufferPointer] = []
    pieces.reserveCapacity(count)
    let first = Keys.extent(frame: frame.id, piece: 0)
    if count == 1, let value = try transaction.read(first.span.bytes, in: extents) {
      pieces.append(try payload(value, piece: 0, of: frame))
    } else if count > 1 {
      // The pieces are neighbours in the table: one descent for all of them.
      try transaction.forEach(in: extents, from: first.span.bytes) { (key, value) throws(StoreError) in
        guard let key = Keys.extent(of: key), key.frame == frame.id, key.piece == pieces.count else { return false }
        pieces.append(try payload(value, piece: key.piece, of: frame))
        return pieces.count < count
      }
    }
    guard pieces.count == count else {
      throw .damagedFrame(frame, "piece \(pieces.count) of \(count) is missing")
    }
    return pieces
  }

  private func payload(
    _ value: RawSpan, piece index: Int, of frame: FrameReference
  ) throws(StoreError) -> UnsafeRawBufferPointer {
    guard value.byteCount == ExtentFormat.valueByteCount(ofPiece: index, of: frame.byteCount) else {
      let count = ExtentFormat.pieceCount(of: frame.byteCount)
      throw .damagedFrame(frame, "piece \(index) of \(count) has \(value.byteCount) bytes")
    }
    let start = ExtentFormat.headerByteCount
    let end = start + ExtentFormat.payloadRange(ofPiece: index, of: frame.byteCount).count
    return value.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[start..<end]) }
  }

  /// Checks that each extent says itself that it is the frame's: touches one page of each.
  func verifyHeaders(
    of frame: FrameReference, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) {
    let count = ExtentFormat.pieceCount(of: frame.byteCount)
    for index in 0..<count {
      let key = Keys.extent(frame: frame.id, piece: index)
      guard let value = try transaction.read(key.span.bytes, in: extents) else {
        throw .damagedFrame(frame, "piece \(index) of \(count) is missing")
      }
      guard ExtentFormat.header(of: value) == .init(piece: index, pieceCount: count, frame: frame.id) else {
        throw .damagedFrame(frame, "piece \(index) of \(count) says that it is another")
      }
    }
  }

  /// A whole that was cut into extents, copied together.
  func joined(
    _ frame: FrameReference, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> [UInt8] {
    let pieces = try pieces(of: frame, transaction)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(frame.byteCount)
    for piece in pieces { bytes.append(contentsOf: piece) }
    return bytes
  }
}

extension StoreError {
  static func damagedFrame(_ frame: FrameReference, _ what: String) -> StoreError {
    StoreError(.damaged, "frame \(frame.id) of \(frame.byteCount) bytes is damaged: \(what)")
  }
}
