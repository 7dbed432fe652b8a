import KVBlocks

/// A value of `blocks`.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version, 1 |
/// | 2 | u16 | hits: look-ups that found the block, 65,535 for so many or more. Written as 0 before it was counted |
/// | 4 | u32 | session count: how often sessions' block tables hold the block |
/// | 8 | u64 | last use, microseconds since 1970 |
/// | 16 | u64 | frame id |
/// | 24 | u64 | frame bytes |
/// | 32 | u64 | the frame's own checksum, that of its header |
/// | 40 | u64 | payload bytes: rows before the codec |
/// | 48 | u8[32] | parent's hash, or the space's root |
/// | 80 | u32 | tokens, n |
/// | 84 | u32 | bytes of extra, m |
/// | 88 | u32 | codec uses, k |
/// | 92 | i32[n] | tokens |
/// | | u8[m] | extra: canonical CBOR |
/// | | k × {u8 filter, u8 compressor, u16 planes} | what the codec did, by number of planes |
/// | | u64 | XXH3 of all before it |
enum BlockFormat {
  private static let hitCountOffset = 2
  private static let sessionCountOffset = 4
  private static let lastUseOffset = 8

  static func encode(_ record: BlockRecord) -> [UInt8] {
    var writer = RecordWriter(capacity: 128 + 4 * record.tokens.count + record.encodedExtra.count)
    writer.u16(FormatVersion.current)
    writer.u16(UInt16(clamping: record.hitCount))
    writer.u32(record.sessionCount)
    writer.u64(record.lastUseMicroseconds)
    writer.u64(record.frame.id)
    writer.u64(UInt64(record.frame.byteCount))
    writer.u64(record.frameChecksum)
    writer.u64(UInt64(record.payloadByteCount))
    writer.hash(record.parent)
    writer.u32(UInt32(record.tokens.count))
    writer.u32(UInt32(record.encodedExtra.count))
    writer.u32(UInt32(record.codecUses.count))
    writer.tokens(record.tokens)
    writer.raw(record.encodedExtra)
    for use in record.codecUses {
      writer.u8(use.filter)
      writer.u8(use.compressor)
      writer.u16(use.planeCount)
    }
    return writer.sealed()
  }

  static func decode(_ bytes: RawSpan, key: BlockKey) throws(StoreError) -> BlockRecord {
    var reader = try RecordReader(sealed: bytes, kind: "block")
    let head = try decodeHead(&reader)
    let tokenCount = head.tokenCount
    let extraByteCount = Int(try reader.u32())
    let useCount = try reader.u32()
    let tokens = try reader.tokens(count: tokenCount)
    let extra = try reader.bytes(count: extraByteCount)
    var uses: [BlockRecord.CodecUse] = []
    for _ in 0..<useCount {
      uses.append(.init(filter: try reader.u8(), compressor: try reader.u8(), planeCount: try reader.u16()))
    }
    try reader.requireEnd()
    return BlockRecord(
      key: key, parent: head.parent, tokens: tokens, encodedExtra: extra, frame: head.frame,
      frameChecksum: head.frameChecksum, payloadByteCount: head.payloadByteCount, sessionCount: head.sessionCount,
      lastUseMicroseconds: head.lastUseMicroseconds, codecUses: uses, hitCount: Int(head.hitCount))
  }

  /// The fields of fixed place alone: nothing is allocated.
  static func decodeHead(_ bytes: RawSpan) throws(StoreError) -> BlockHead {
    var reader = try RecordReader(sealed: bytes, kind: "block")
    return try decodeHead(&reader)
  }

  private static func decodeHead(_ reader: inout RecordReader) throws(StoreError) -> BlockHead {
    let hitCount = try reader.u16()
    let sessionCount = try reader.u32()
    let lastUse = try reader.u64()
    let frame = try FrameReference(&reader)
    let checksum = try reader.u64()
    let payloadByteCount = try reader.count64(limit: BlockLayout.frameByteCountLimit)
    let parent = try reader.hash()
    return BlockHead(
      parent: parent, frame: frame, frameChecksum: checksum, payloadByteCount: payloadByteCount,
      sessionCount: sessionCount, lastUseMicroseconds: lastUse, tokenCount: Int(try reader.u32()),
      hitCount: hitCount)
  }

  /// Changes the fields that change, in the bytes of a record that was read whole.
  static func update(_ record: inout [UInt8], sessionCount: UInt32, lastUse: UInt64, hitCount: UInt16? = nil) {
    if let hitCount { RecordWriter.store(hitCount, in: &record, at: hitCountOffset) }
    RecordWriter.store(sessionCount, in: &record, at: sessionCountOffset)
    RecordWriter.store(lastUse, in: &record, at: lastUseOffset)
    RecordWriter.reseal(&record)
  }
}

/// Where a frame lies: its extents are `id`'s pieces, in order.
package struct FrameReference: Hashable, Sendable {
  package var id: UInt64
  /// Exact bytes of the frame, extents' headers and padding not counted.
  package var byteCount: Int
}

extension FrameReference {
  /// Reads id and size. Their checksum is no secret: only what a store gives is believed.
  init(_ reader: inout RecordReader) throws(StoreError) {
    id = try reader.u64()
    guard id < ExtentFormat.frameIDLimit else { throw reader.damaged("a frame of number \(id)") }
    byteCount = try reader.count64(limit: ExtentFormat.byteCountLimit)
  }
}

/// The part of a block's record that has a fixed place.
struct BlockHead: Hashable {
  var parent: BlockHash
  var frame: FrameReference
  var frameChecksum: UInt64
  var payloadByteCount: Int
  var sessionCount: UInt32
  var lastUseMicroseconds: UInt64
  var tokenCount: Int
  var hitCount: UInt16
}

/// A stored block, all but its frame.
package struct BlockRecord: Hashable, Sendable {
  /// How many planes of the frame went through which filter and compressor (the codec's numbers).
  package struct CodecUse: Hashable, Sendable {
    package var filter: UInt8
    package var compressor: UInt8
    package var planeCount: UInt16
  }

  package var key: BlockKey
  package var parent: BlockHash
  package var tokens: [Token]
  /// Canonical CBOR of the extra keys.
  package var encodedExtra: [UInt8]
  package var frame: FrameReference
  package var frameChecksum: UInt64
  package var payloadByteCount: Int
  package var sessionCount: UInt32
  package var lastUseMicroseconds: UInt64
  package var codecUses: [CodecUse]
  /// Look-ups that found the block; see ``BlockSummary/hitCount``.
  package var hitCount = 0
}
