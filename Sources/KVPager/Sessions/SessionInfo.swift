/// A committed session at a glance.
public struct SessionInfo: Hashable, Sendable {
  public let space: SpaceID
  public let name: String
  public let tokenCount: Int
  /// Blocks in its block table, the tail included.
  public let blockCount: Int
  public let metadata: [String: String]
  /// Bytes of the checkpoint, 0 for none.
  public let checkpointByteCount: Int
  /// Microseconds since 1970, UTC.
  public let createdMicroseconds: UInt64
  public let updatedMicroseconds: UInt64
  /// From when on `collectGarbage` deletes the session; nil: never.
  public let expiresMicroseconds: UInt64?

  init(_ record: SessionRecord) {
    space = record.space
    name = record.name
    tokenCount = record.tokens.count
    blockCount = record.blocks.count
    metadata = record.metadata
    checkpointByteCount = record.checkpointByteCount
    createdMicroseconds = record.createdMicroseconds
    updatedMicroseconds = record.updatedMicroseconds
    expiresMicroseconds = record.expiresMicroseconds
  }
}
