import KVBlocks

/// A value of `extents`: one piece of a frame, of a checkpoint's frame, or of a long session record.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u32 | magic 0x5845564B ("KVEX" in the file) |
/// | 4 | u16 | piece, from 0 |
/// | 6 | u16 | pieces of the whole |
/// | 8 | u64 | frame id |
/// | 16 | | payload, then zeros to the end |
///
/// With LMDB's 16-byte page header each extent fills whole pages and begins one, so that salvage finds it by its magic
/// at a page's offset 16. All pieces but the last have ``fullByteCount`` bytes. The last is rounded up to a quantum
/// that grows with the whole, 1/128 of it rounded down to a power of two and at least a page: few different sizes keep
/// the free list short, and less than 0.8%, or less than a page, is lost.
enum ExtentFormat {
  static let magic: UInt32 = 0x5845_564B
  static let headerByteCount = 16
  /// LMDB's own header before the value.
  static let pageHeaderByteCount = 16
  static let pageByteCount = 4096
  static let runByteCount = 256 << 10
  static let fullByteCount = runByteCount - pageHeaderByteCount
  static let fullPayloadByteCount = fullByteCount - headerByteCount
  static let frameIDLimit: UInt64 = 1 << 48
  static let pieceCountLimit = 0xffff
  static let byteCountLimit = pieceCountLimit * fullPayloadByteCount

  /// Pieces that `byteCount` bytes (at least 1) are cut into.
  static func pieceCount(of byteCount: Int) -> Int { (byteCount + fullPayloadByteCount - 1) / fullPayloadByteCount }

  /// The part of the whole that piece `index` carries.
  static func payloadRange(ofPiece index: Int, of byteCount: Int) -> Range<Int> {
    let start = index * fullPayloadByteCount
    return start..<min(start + fullPayloadByteCount, byteCount)
  }

  /// Bytes of the value of piece `index`, header and padding included.
  static func valueByteCount(ofPiece index: Int, of byteCount: Int) -> Int {
    let payload = payloadRange(ofPiece: index, of: byteCount).count
    if payload == fullPayloadByteCount { return fullByteCount }
    let quantum = quantum(of: byteCount)
    let run = (payload + headerByteCount + pageHeaderByteCount + quantum - 1) / quantum * quantum
    return min(run, runByteCount) - pageHeaderByteCount
  }

  /// What the last piece of `byteCount` bytes is rounded up to.
  static func quantum(of byteCount: Int) -> Int {
    let share = byteCount / 128
    guard share > pageByteCount else { return pageByteCount }
    return min(1 << (Int.bitWidth - 1 - share.leadingZeroBitCount), runByteCount)
  }

  /// Bytes of the file that a whole of `byteCount` bytes takes.
  static func storedByteCount(of byteCount: Int) -> Int {
    let last = pieceCount(of: byteCount) - 1
    return last * runByteCount + valueByteCount(ofPiece: last, of: byteCount) + pageHeaderByteCount
  }

  /// Writes one piece: header, payload, zeros.
  static func write(
    piece index: Int, of bytes: UnsafeRawBufferPointer, frame id: UInt64, into value: UnsafeMutableRawBufferPointer
  ) {
    let range = payloadRange(ofPiece: index, of: bytes.count)
    writeHeader(piece: index, of: pieceCount(of: bytes.count), frame: id, into: value)
    let payload = UnsafeMutableRawBufferPointer(rebasing: value[headerByteCount...])
    payload.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
    UnsafeMutableRawBufferPointer(rebasing: payload[range.count...]).initializeMemory(as: UInt8.self, repeating: 0)
  }

  static func writeHeader(piece index: Int, of count: Int, frame id: UInt64, into value: inout [UInt8]) {
    value.withUnsafeMutableBytes { writeHeader(piece: index, of: count, frame: id, into: $0) }
  }

  private static func writeHeader(
    piece index: Int, of count: Int, frame id: UInt64, into value: UnsafeMutableRawBufferPointer
  ) {
    value.storeBytes(of: magic.littleEndian, toByteOffset: 0, as: UInt32.self)
    value.storeBytes(of: UInt16(index).littleEndian, toByteOffset: 4, as: UInt16.self)
    value.storeBytes(of: UInt16(count).littleEndian, toByteOffset: 6, as: UInt16.self)
    value.storeBytes(of: id.littleEndian, toByteOffset: 8, as: UInt64.self)
  }

  /// An extent's header.
  struct Header: Hashable {
    var piece: Int
    var pieceCount: Int
    var frame: UInt64
  }

  /// The header of an extent's value; nil where it is none.
  static func header(of value: RawSpan) -> Header? {
    guard value.byteCount >= headerByteCount,
      UInt32(littleEndian: value.unsafeLoadUnaligned(as: UInt32.self)) == magic
    else { return nil }
    return Header(
      piece: Int(UInt16(littleEndian: value.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt16.self))),
      pieceCount: Int(UInt16(littleEndian: value.unsafeLoadUnaligned(fromByteOffset: 6, as: UInt16.self))),
      frame: UInt64(littleEndian: value.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}
