import KVBlocks

/// A frame that a block, a session's body or a checkpoint says is its own.
struct FrameClaim: Sendable {
  enum Kind: UInt8, Sendable { case block, body, checkpoint }

  var id: UInt64
  var byteCount: Int
  /// Where its first extent lies in the file: the order in which frames are best read. `Int.max`: nowhere.
  var offset = Int.max
  /// The block's position in the index, or the session's in the audit's list.
  var owner: UInt32
  var kind: Kind

  var reference: FrameReference { FrameReference(id: id, byteCount: byteCount) }

  var isReadable: Bool { byteCount > 0 && byteCount <= ExtentFormat.byteCountLimit }
}
