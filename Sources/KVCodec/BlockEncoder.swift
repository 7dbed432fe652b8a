import CKernels
import KVBlocks

/// Makes frames. Not for two threads at once; keeps its buffers, so that a steady state allocates nothing large.
package struct BlockEncoder: ~Copyable {
  private var planeEncoder: PlaneEncoder
  private var output = Scratch()

  package init() { self.init(level: kv_best_level()) }

  /// `level`: one of the kernels' levels that this processor has.
  init(level: Int32) { planeEncoder = PlaneEncoder(level: level) }

  /// Encodes the first `descriptor.tokens.count` rows of each plane of `frame`, a frame of `layout`.
  ///
  /// The bytes returned are valid until the next call.
  package mutating func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(FrameError) -> UnsafeRawBufferPointer {
    let tokenCount = descriptor.tokens.count
    guard (1...layout.blockTokenCount).contains(tokenCount) else {
      throw FrameError("a block of \(tokenCount) tokens, where the layout holds 1 to \(layout.blockTokenCount)")
    }
    guard UInt32(exactly: descriptor.encodedExtra.count) != nil else {
      throw FrameError("extra keys of \(descriptor.encodedExtra.count) bytes; a frame holds less than 4 GiB of them")
    }
    for plane in layout.planes where UInt32(exactly: plane.rowByteCount * tokenCount) == nil {
      throw FrameError("\(plane.plane) of 4 GiB or more; choose fewer tokens per block")
    }
    precondition(frame.count >= layout.frameByteCount, "the frame is smaller than its layout")
    guard let source = frame.baseAddress else { throw FrameError("a frame of no bytes") }

    let headerByteCount = FrameFormat.headerByteCount(
      planeCount: layout.planes.count, tokenCount: tokenCount, extraByteCount: descriptor.encodedExtra.count)
    guard UInt32(exactly: headerByteCount) != nil else { throw FrameError("a header of 4 GiB or more") }
    let buffer = output.bytes(
      headerByteCount + layout.payloadByteCount(tokenCount: tokenCount) + PlaneEncoder.slackByteCount)
    var header = FrameHeaderWriter(buffer, byteCount: headerByteCount, planeCount: layout.planes.count)
    var end = headerByteCount
    for (index, plane) in layout.planes.enumerated() {
      let result = planeEncoder.encode(
        source + layout.planeOffset(index), rowCount: tokenCount, rowByteCount: plane.rowByteCount,
        elementType: plane.elementType, output: buffer + end)
      header.setPlane(index, plane, result, checksum: FrameFormat.checksum(buffer + end, result.storedByteCount))
      end += result.storedByteCount
    }
    header.finish(descriptor, blockTokenCount: layout.blockTokenCount, frameByteCount: end)
    return UnsafeRawBufferPointer(start: buffer, count: end)
  }

  /// Encodes opaque bytes under an identifier. The bytes returned are valid until the next call.
  package mutating func encodeBlob(
    _ bytes: UnsafeRawBufferPointer, identifier: BlockKey
  ) throws(FrameError) -> UnsafeRawBufferPointer {
    guard bytes.count <= BlockLayout.frameByteCountLimit else {
      throw FrameError("a blob of \(bytes.count) bytes; a frame holds at most \(BlockLayout.frameByteCountLimit)")
    }
    let piece = FrameFormat.blobPieceByteCount
    let planeCount = (bytes.count + piece - 1) / piece
    let headerByteCount = FrameFormat.headerByteCount(planeCount: planeCount, tokenCount: 0, extraByteCount: 0)
    let buffer = output.bytes(headerByteCount + bytes.count + PlaneEncoder.slackByteCount)
    var header = FrameHeaderWriter(buffer, byteCount: headerByteCount, planeCount: planeCount)
    var end = headerByteCount
    for index in 0..<planeCount {
      guard let base = bytes.baseAddress else { break }
      let count = min(piece, bytes.count - index * piece)
      let result = planeEncoder.encode(
        base + index * piece, rowCount: 1, rowByteCount: count, elementType: .raw, output: buffer + end)
      header.setPlane(
        index, PlaneLayout(Plane(.keys, layer: index), elementType: .raw, rowByteCount: count), result,
        checksum: FrameFormat.checksum(buffer + end, result.storedByteCount))
      end += result.storedByteCount
    }
    header.finish(blob: identifier, frameByteCount: end)
    return UnsafeRawBufferPointer(start: buffer, count: end)
  }
}
