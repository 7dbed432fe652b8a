/// A frame as it lies in memory: in pieces (extents in the map, perhaps not adjacent) that follow one another.
///
/// The caller keeps the memory alive and unchanged while a decoder uses the pieces. Bytes after the frame's end are
/// allowed and ignored, for a stored piece is rounded up.
package struct FramePieces {
  package let byteCount: Int
  private let pieces: [UnsafeRawBufferPointer]
  /// Where each piece begins in the frame.
  private let starts: [Int]

  package init(_ pieces: [UnsafeRawBufferPointer]) {
    self.pieces = pieces
    var starts: [Int] = []
    starts.reserveCapacity(pieces.count)
    var end = 0
    for piece in pieces {
      starts.append(end)
      end += piece.count
    }
    self.starts = starts
    byteCount = end
  }

  /// The bytes of `range`: straight from the piece that holds them all, or gathered into `scratch`.
  /// - Precondition: `range` lies within the pieces.
  func contiguous(_ range: Range<Int>, scratch: inout Scratch) -> UnsafeRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "a range outside the frame")
    if range.isEmpty { return UnsafeRawBufferPointer(start: nil, count: 0) }
    var index = pieceIndex(of: range.lowerBound)
    let offset = range.lowerBound - starts[index]
    if offset + range.count <= pieces[index].count {
      return UnsafeRawBufferPointer(rebasing: pieces[index][offset..<offset + range.count])
    }
    let gathered = scratch.bytes(range.count)
    var done = 0
    while done < range.count {
      let piece = pieces[index]
      let from = range.lowerBound + done - starts[index]
      let count = min(piece.count - from, range.count - done)
      if count > 0, let source = piece.baseAddress {
        (gathered + done).copyMemory(from: source + from, byteCount: count)
      }
      done += count
      index += 1
    }
    return UnsafeRawBufferPointer(start: gathered, count: range.count)
  }

  /// The last piece that begins at `offset` or before; no piece after it is empty and begins there too.
  private func pieceIndex(of offset: Int) -> Int {
    var low = 0
    var high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    return low
  }
}
