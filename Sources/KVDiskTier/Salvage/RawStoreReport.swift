import KVBlocks

/// What the raw bytes of a store's file still hold, found without LMDB's trees. A file keeps remains of what was
/// deleted until it writes over them, so this may count more than the store had.
package struct RawStoreReport: Hashable, Sendable {
  /// Frames of one kind.
  package struct Frames: Hashable, Sendable {
    /// All pieces found, header and every plane verified.
    package var wholeCount = 0
    /// All pieces found, but a checksum fails or a field means nothing.
    package var damagedCount = 0
    package var wholeByteCount = 0
  }

  /// A session whose own record is whole.
  package struct Session: Hashable, Sendable {
    package var space: SpaceID
    package var name: String
    /// The newest of the records found.
    package var revision: UInt64
    package var tokenCount: Int
    package var blockCount: Int
    /// Blocks of which no whole frame was found.
    package var missingBlockCount: Int
    package var lacksCheckpoint: Bool

    /// Salvage brings it back unabridged.
    package var isWhole: Bool { missingBlockCount == 0 && !lacksCheckpoint }
  }

  package var fileByteCount: UInt64 = 0
  package var extentCount = 0
  package var blocks = Frames()
  package var checkpoints = Frames()
  /// Frames and session records that lack pieces: deleted and partly written over, or damaged.
  package var incompleteCount = 0
  /// Pieces that make up a whole which is neither frame nor session.
  package var unknownCount = 0
  /// Newest revisions, by space and name.
  package var sessions: [Session] = []
  /// Session records that were found and fail their checksum.
  package var damagedSessionCount = 0

  package var wholeSessionCount: Int { sessions.count { $0.isWhole } }
}
