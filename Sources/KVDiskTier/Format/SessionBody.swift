import KVBlocks
import KVCodec

/// A session's body: all that the session is, whole by itself, so that salvage finds and believes it without LMDB's
/// trees.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version, 1 |
/// | 2 | u16 | 0 |
/// | 4 | u8[8] | "KVSESSN1" |
/// | 12 | u32 | space |
/// | 16 | u64 | bytes of the body, checksum included |
/// | 24 | u64 | revision |
/// | 32 | u64 | created, microseconds since 1970 |
/// | 40 | u64 | updated |
/// | 48 | u64 | expires; 2^64 - 1: never |
/// | 56 | u64 | checkpoint's frame id, 0 for none |
/// | 64 | u64 | checkpoint's frame bytes |
/// | 72 | u64 | checkpoint bytes |
/// | 80 | u8[32] | checkpoint's identifier: SHA-256 of its bytes; zeros for none |
/// | 112 | u8[32] | the space's root |
/// | 144 | u32 | name bytes |
/// | 148 | u32 | tokens |
/// | 152 | u32 | blocks |
/// | 156 | u32 | metadata pairs |
/// | 160 | u32 | origin bytes |
/// | 164 | | name; tokens i32; blocks u8[32]; metadata as pairs of texts, by name; origin |
/// | | u64 | XXH3 of all before it |
package struct SessionBody: Hashable, Sendable {
  package static let magic: [UInt8] = Array("KVSESSN1".utf8)
  package static let magicOffset = 4
  package static let byteCountOffset = 16
  package static let leastByteCount = 172
  package static let byteCountLimit = 1 << 31

  package var record: SessionRecord
  package var root: BlockHash
  package var checkpoint: SessionSummary.Checkpoint?
  package var checkpointIdentifier: BlockHash

  static let noIdentifier = BlockHash(bytes: [UInt8](repeating: 0, count: BlockHash.byteCount))

  /// - Throws: `invalidArgument` for a session that is too large for one record.
  func encoded() throws(StoreError) -> [UInt8] {
    var writer = RecordWriter(capacity: 256 + 4 * record.tokens.count + 32 * record.blocks.count + record.origin.count)
    writer.u16(FormatVersion.current)
    writer.u16(0)
    writer.raw(Self.magic)
    writer.u32(record.space.rawValue)
    writer.u64(UInt64(try byteCount()))
    writer.u64(record.revision)
    writer.u64(record.createdMicroseconds)
    writer.u64(record.updatedMicroseconds)
    writer.u64(record.expiresMicroseconds ?? SessionFormat.never)
    writer.u64(checkpoint?.frame.id ?? 0)
    writer.u64(UInt64(checkpoint?.frame.byteCount ?? 0))
    writer.u64(UInt64(checkpoint?.byteCount ?? 0))
    writer.hash(checkpointIdentifier)
    writer.hash(root)
    writer.u32(UInt32(record.name.utf8.count))
    writer.u32(UInt32(record.tokens.count))
    writer.u32(UInt32(record.blocks.count))
    writer.u32(UInt32(record.metadata.count))
    writer.u32(UInt32(record.origin.count))
    writer.raw(Array(record.name.utf8))
    writer.tokens(record.tokens)
    for hash in record.blocks { writer.hash(hash) }
    for (name, value) in record.metadata.inNameOrder {
      writer.text(name)
      writer.text(value)
    }
    writer.raw(record.origin)
    return writer.sealed()
  }

  private func byteCount() throws(StoreError) -> Int {
    var count = Self.leastByteCount + record.name.utf8.count + 4 * record.tokens.count
    count += BlockHash.byteCount * record.blocks.count + record.origin.count
    for (name, value) in record.metadata { count += 8 + name.utf8.count + value.utf8.count }
    guard count <= Self.byteCountLimit else {
      throw .invalidArgument(
        "session \"\(record.name)\" makes a record of \(count) bytes; the most is \(Self.byteCountLimit)")
    }
    return count
  }

  static func decode(_ bytes: [UInt8]) throws(StoreError) -> SessionBody {
    let span = bytes.span
    return try decode(span.bytes)
  }

  /// Reads a body that lies at the beginning of `bytes`; the rest of them is not looked at.
  package static func decode(_ bytes: RawSpan) throws(StoreError) -> SessionBody {
    var head = RecordReader(unchecked: bytes, kind: "session")
    try head.skip(4)
    guard try head.bytes(count: 8) == magic else { throw head.damaged("it does not begin like one") }
    try head.skip(4)
    let byteCount = try head.count64()
    guard (leastByteCount...byteCountLimit).contains(byteCount), byteCount <= bytes.byteCount else {
      throw head.damaged("it claims \(byteCount) of \(bytes.byteCount) bytes")
    }
    var reader = try RecordReader(sealed: bytes.extracting(first: byteCount), kind: "session")
    try reader.skip(10)
    var record = SessionRecord(space: SpaceID(rawValue: try reader.u32()), name: "")
    try reader.skip(8)
    record.revision = try reader.u64()
    record.createdMicroseconds = try reader.u64()
    record.updatedMicroseconds = try reader.u64()
    let expires = try reader.u64()
    record.expiresMicroseconds = expires == SessionFormat.never ? nil : expires
    let frame = try FrameReference(&reader)
    record.checkpointByteCount = try reader.count64()
    guard record.checkpointByteCount <= BlockLayout.frameByteCountLimit else {
      throw head.damaged("it claims a checkpoint of \(record.checkpointByteCount) bytes")
    }
    let identifier = try reader.hash()
    let root = try reader.hash()
    try decodeLists(&reader, into: &record)
    return SessionBody(
      record: record, root: root,
      checkpoint: frame.id == 0 ? nil : .init(frame: frame, byteCount: record.checkpointByteCount),
      checkpointIdentifier: identifier)
  }

  private static func decodeLists(_ reader: inout RecordReader, into record: inout SessionRecord) throws(StoreError) {
    let nameByteCount = Int(try reader.u32())
    let tokenCount = Int(try reader.u32())
    let blockCount = Int(try reader.u32())
    let pairCount = try reader.u32()
    let originByteCount = Int(try reader.u32())
    record.name = try reader.text(byteCount: nameByteCount)
    record.tokens = try reader.tokens(count: tokenCount)
    record.blocks = try reader.hashes(count: blockCount)
    for _ in 0..<pairCount {
      let name = try reader.text()
      record.metadata[name] = try reader.text()
    }
    record.origin = try reader.bytes(count: originByteCount)
    try reader.requireEnd()
  }

  /// What a body whose checksum fails says of itself: for a guess at whose it was, and nothing else.
  /// - Precondition: `bytes` has ``leastByteCount`` bytes.
  static func uncheckedFields(
    of bytes: UnsafeRawBufferPointer
  ) -> (space: SpaceID, revision: UInt64, name: String?) {
    let nameByteCount = Int(bytes.loadUnaligned(fromByteOffset: 144, as: UInt32.self).littleEndian)
    var name: String?
    if (1...Keys.nameByteLimit).contains(nameByteCount), nameByteCount <= bytes.count - nameOffset {
      name = String(validating: bytes[nameOffset..<nameOffset + nameByteCount], as: UTF8.self)
    }
    return (
      SpaceID(rawValue: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self).littleEndian),
      bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self).littleEndian, name
    )
  }

  private static let nameOffset = 164
}
