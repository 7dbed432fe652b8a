/// A session as the store keeps it: tokens, block table, metadata, times, and what an engine needs to go on.
package struct SessionRecord: Hashable, Sendable {
  package var space: SpaceID
  package var name: String
  /// Grows with each commit: a writer that resumed an older one is told of the conflict.
  package var revision: UInt64
  /// Microseconds since 1970, UTC.
  package var createdMicroseconds: UInt64
  package var updatedMicroseconds: UInt64
  /// When `gc` may delete the session; nil: never.
  package var expiresMicroseconds: UInt64?
  /// One token a row, the tail's included.
  package var tokens: [Token]
  /// All blocks in order, the tail's last.
  package var blocks: [BlockHash]
  package var metadata: [String: String]
  /// Opaque: how the engine's file looked around the rows, written by KVInterchange; empty for none.
  package var origin: [UInt8]
  /// Bytes of the checkpoint, 0 for none. The bytes themselves lie apart and are read on demand.
  package var checkpointByteCount: Int

  package init(
    space: SpaceID, name: String, revision: UInt64 = 0,
    createdMicroseconds: UInt64 = 0, updatedMicroseconds: UInt64 = 0, expiresMicroseconds: UInt64? = nil,
    tokens: [Token] = [], blocks: [BlockHash] = [], metadata: [String: String] = [:],
    origin: [UInt8] = [], checkpointByteCount: Int = 0
  ) {
    self.space = space
    self.name = name
    self.revision = revision
    self.createdMicroseconds = createdMicroseconds
    self.updatedMicroseconds = updatedMicroseconds
    self.expiresMicroseconds = expiresMicroseconds
    self.tokens = tokens
    self.blocks = blocks
    self.metadata = metadata
    self.origin = origin
    self.checkpointByteCount = checkpointByteCount
  }
}

/// A cache space as the store keeps it.
package struct SpaceRecord: Hashable, Sendable {
  package let id: SpaceID
  package let fingerprint: ModelFingerprint
  package let layout: BlockLayout
  package let root: BlockHash

  package init(id: SpaceID, fingerprint: ModelFingerprint, layout: BlockLayout, root: BlockHash) {
    self.id = id
    self.fingerprint = fingerprint
    self.layout = layout
    self.root = root
  }
}
