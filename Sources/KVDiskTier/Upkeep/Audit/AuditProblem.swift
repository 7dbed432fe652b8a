import KVBlocks

/// A session's place in the store.
struct SessionKey: Hashable, Sendable {
  var space: SpaceID
  var name: String
}

/// What a frame belongs to.
enum FrameOwner: Hashable, Sendable {
  case block(BlockKey)
  case body(SessionKey)
  case checkpoint(SessionKey)

  var block: BlockKey? {
    if case .block(let key) = self { return key }
    return nil
  }

  var session: SessionKey? {
    switch self {
    case .block: nil
    case .body(let session), .checkpoint(let session): session
    }
  }
}

/// One thing that breaks the invariants in DiskTier.swift, in the terms in which it is looked at again and set right.
enum AuditProblem: Hashable, Sendable {
  /// A table whose keys have one form.
  enum KeyedTable: Hashable, Sendable { case spaces, blocks, children, recency, extents, sessions }

  enum Counter: Hashable, Sendable { case frame, space, revision }

  /// A link of a block, kept in a table of its own.
  enum Link: Hashable, Sendable { case child, recency }

  case counters(String)
  /// `value` was given already, and would be given again.
  case counter(Counter, value: UInt64)
  case space(SpaceID, String)
  /// An entry whose key has not its table's form.
  case strayKey(KeyedTable, [UInt8])

  case blockRecord(BlockKey, String)
  /// Its tokens and parent have another hash.
  case blockHash(BlockKey)
  /// Its record does not fit its space.
  case blockShape(BlockKey, String)
  case orphanedBlock(BlockKey)
  case sessionCount(BlockKey, counted: UInt32, held: UInt32)
  case missingLink(Link, BlockKey)
  case strayChild(parent: BlockKey, hash: BlockHash)
  case strayRecency(lastUse: UInt64, BlockKey)

  case sharedFrame(FrameOwner, FrameOwner, frame: UInt64)
  case incompleteFrame(FrameOwner, FrameReference, found: Int)
  case damagedFrame(FrameOwner, FrameReference, String)
  case orphanedExtent(frame: UInt64, piece: Int)

  case sessionRecord(SessionKey, String)
  /// What a listing shows is not what the session is.
  case sessionSummary(SessionKey, String)
  /// Its block table is whole up to `wholeTokenCount` only.
  case sessionBlocks(SessionKey, wholeTokenCount: Int, hasCheckpoint: Bool, String)

  /// The block that is lost with it, for the sessions that hold it.
  var brokenBlock: BlockKey? {
    switch self {
    case .blockRecord(let key, _), .blockHash(let key), .blockShape(let key, _): key
    case .sharedFrame(let owner, _, _), .incompleteFrame(let owner, _, _), .damagedFrame(let owner, _, _): owner.block
    default: nil
    }
  }
}
