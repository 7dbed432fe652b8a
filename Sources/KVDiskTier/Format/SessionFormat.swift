import KVBlocks

/// A value of `sessions`: what a listing needs, and the session's body or where it lies.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version, 1 |
/// | 2 | u16 | 0 |
/// | 4 | u32 | blocks |
/// | 8 | u64 | revision |
/// | 16 | u64 | created, microseconds since 1970 |
/// | 24 | u64 | updated |
/// | 32 | u64 | expires; 2^64 - 1: never |
/// | 40 | u64 | tokens |
/// | 48 | u64 | checkpoint's frame id, 0 for none |
/// | 56 | u64 | checkpoint's frame bytes |
/// | 64 | u64 | checkpoint bytes |
/// | 72 | u64 | body's frame id; 0: the body follows here |
/// | 80 | u64 | body bytes |
/// | 88 | | the body, where it has at most ``inlineByteLimit`` bytes |
/// | | u64 | XXH3 of all before it |
///
/// A longer body is cut into extents like a frame (as it is, no codec), so that runs of one size stay all that the file
/// holds.
enum SessionFormat {
  static let inlineByteLimit = 1024
  static let never = UInt64.max
  static let bodyOffset = 88

  static func encode(_ summary: SessionSummary, inlineBody: [UInt8]?) -> [UInt8] {
    var writer = RecordWriter(capacity: 96 + (inlineBody?.count ?? 0))
    writer.u16(FormatVersion.current)
    writer.u16(0)
    writer.u32(UInt32(summary.blockCount))
    writer.u64(summary.revision)
    writer.u64(summary.createdMicroseconds)
    writer.u64(summary.updatedMicroseconds)
    writer.u64(summary.expiresMicroseconds ?? never)
    writer.u64(UInt64(summary.tokenCount))
    writer.u64(summary.checkpoint?.frame.id ?? 0)
    writer.u64(UInt64(summary.checkpoint?.frame.byteCount ?? 0))
    writer.u64(UInt64(summary.checkpoint?.byteCount ?? 0))
    writer.u64(summary.body.id)
    writer.u64(UInt64(summary.body.byteCount))
    if let inlineBody { writer.raw(inlineBody) }
    return writer.sealed()
  }

  /// The summary, and the body where it lies with it.
  static func decode(
    _ bytes: RawSpan, space: SpaceID, name: String
  ) throws(StoreError) -> (summary: SessionSummary, inlineBody: [UInt8]?) {
    var reader = try RecordReader(sealed: bytes, kind: "session")
    _ = try reader.u16()
    let blockCount = Int(try reader.u32())
    var summary = SessionSummary(
      space: space, name: name, revision: try reader.u64(), createdMicroseconds: try reader.u64(),
      updatedMicroseconds: try reader.u64(), expiresMicroseconds: nil, tokenCount: 0, blockCount: blockCount,
      checkpoint: nil, body: FrameReference(id: 0, byteCount: 0))
    let expires = try reader.u64()
    summary.expiresMicroseconds = expires == never ? nil : expires
    summary.tokenCount = try reader.count64(limit: SessionBody.byteCountLimit / MemoryLayout<Token>.size)
    let checkpoint = try FrameReference(&reader)
    let checkpointByteCount = try reader.count64(limit: BlockLayout.frameByteCountLimit)
    if checkpoint.id != 0 { summary.checkpoint = .init(frame: checkpoint, byteCount: checkpointByteCount) }
    summary.body = try FrameReference(&reader)
    guard summary.body.id == 0 else {
      try reader.requireEnd()
      return (summary, nil)
    }
    let body = try reader.bytes(count: summary.body.byteCount)
    try reader.requireEnd()
    return (summary, body)
  }
}

/// What a listing of sessions shows: all but tokens, block table and metadata.
package struct SessionSummary: Hashable, Sendable {
  package struct Checkpoint: Hashable, Sendable {
    package var frame: FrameReference
    /// Bytes of the engine's state, before the codec.
    package var byteCount: Int
  }

  package var space: SpaceID
  package var name: String
  package var revision: UInt64
  package var createdMicroseconds: UInt64
  package var updatedMicroseconds: UInt64
  package var expiresMicroseconds: UInt64?
  package var tokenCount: Int
  package var blockCount: Int
  package var checkpoint: Checkpoint?
  /// Where the body lies; id 0: in the record itself.
  package var body: FrameReference
}

extension SessionSummary {
  /// What a listing shows of a session whose body lies at `place`.
  init(_ body: SessionBody, place: FrameReference) {
    let record = body.record
    self.init(
      space: record.space, name: record.name, revision: record.revision,
      createdMicroseconds: record.createdMicroseconds, updatedMicroseconds: record.updatedMicroseconds,
      expiresMicroseconds: record.expiresMicroseconds, tokenCount: record.tokens.count,
      blockCount: record.blocks.count, checkpoint: body.checkpoint, body: place)
  }
}
