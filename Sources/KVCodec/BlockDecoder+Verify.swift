import CKernels
import KVBlocks

/// What is known of a block beside its frame, for the frame to agree with.
package struct FrameExpectation {
  package var key: BlockKey
  package var parent: BlockHash
  /// The tokens as both sides store them: little-endian, 4 bytes each.
  package var tokens: UnsafeRawBufferPointer
  /// Canonical CBOR of the extra keys.
  package var encodedExtra: UnsafeRawBufferPointer
  package var frameByteCount: Int
  /// The checksum with which the frame's header ends.
  package var checksum: UInt64

  package init(
    key: BlockKey, parent: BlockHash, tokens: UnsafeRawBufferPointer, encodedExtra: UnsafeRawBufferPointer,
    frameByteCount: Int, checksum: UInt64
  ) {
    self.key = key
    self.parent = parent
    self.tokens = tokens
    self.encodedExtra = encodedExtra
    self.frameByteCount = frameByteCount
    self.checksum = checksum
  }
}

extension BlockDecoder {
  /// Reads a block's frame whole: every checksum, every plane decoded, every field of its header against `expected`.
  /// The rows go one plane at a time to memory that stays in the processor's cache.
  package mutating func verify(
    _ pieces: FramePieces, layout: BlockLayout, expecting expected: FrameExpectation
  ) throws(FrameError) {
    let view = try FrameHeaderView(pieces, scratch: &headerScratch)
    try Self.check(view, pieces, kind: .block, key: expected.key)
    try Self.check(view, layout)
    try view.check(expected)
    var offset = view.headerByteCount
    for index in 0..<view.planeCount {
      let entry = try Self.entry(view, index, offset: offset, layout)
      let stored = pieces.contiguous(offset..<offset + entry.storedByteCount, scratch: &gathered)
      let rows = rowScratch.bytes(entry.rawByteCount)
      try planeDecoder.verify(
        stored, entry: entry, rowCount: view.tokenCount,
        scratch: UnsafeMutableRawBufferPointer(start: rows, count: entry.rawByteCount))
      offset += entry.storedByteCount
    }
  }
}

extension FrameHeaderView {
  fileprivate func check(_ expected: FrameExpectation) throws(FrameError) {
    guard hash(at: 64) == expected.parent else { throw FrameError("its frame names another parent") }
    let tokensAt = FrameFormat.fixedHeaderByteCount + planeCount * FrameFormat.planeEntryByteCount
    let extraAt = tokensAt + 4 * tokenCount
    guard bytes[tokensAt..<extraAt].elementsEqual(expected.tokens) else {
      throw FrameError("its frame names other tokens")
    }
    guard bytes[extraAt..<extraAt + extraByteCount].elementsEqual(expected.encodedExtra) else {
      throw FrameError("its frame names other extra keys")
    }
    guard frameByteCount == expected.frameByteCount else {
      throw FrameError("its frame has \(frameByteCount) bytes, its record says \(expected.frameByteCount)")
    }
    let checksum = bytes.littleEndian(headerByteCount - FrameFormat.checksumByteCount, as: UInt64.self)
    guard checksum == expected.checksum else { throw FrameError("its frame is not the one that its record describes") }
  }
}

extension PlaneDecoder {
  /// Verifies the checksum, and decodes what the checksum alone does not vouch for.
  mutating func verify(
    _ stored: UnsafeRawBufferPointer, entry: FrameHeader.PlaneEntry, rowCount: Int,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(FrameError) {
    // Rows stored as they are need no copy.
    guard entry.filter == .none, entry.compressor == .none, stored.count == entry.rawByteCount else {
      return try decode(stored, entry: entry, rowCount: rowCount, into: scratch)
    }
    guard kv_checksum(level, stored.baseAddress, stored.count) == entry.checksum else {
      throw FrameError("the checksum of \(entry.place) fails")
    }
  }
}
