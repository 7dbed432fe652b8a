import KVBlocks

/// What the raw bytes of a store's file still hold, found without LMDB's trees, and what a salvage makes of it. A file
/// keeps remains of what was deleted until it writes over them, so this may count more than the store had.
package struct RawStoreReport: Hashable, Sendable {
  /// Frames of one kind.
  package struct Frames: Hashable, Sendable {
    /// All pieces found, header and every plane verified.
    package var wholeCount = 0
    /// All pieces found, but a checksum fails or a field means nothing.
    package var damagedCount = 0
    package var wholeByteCount = 0
  }

  /// A cache space that blocks, sessions or a record of its own speak of.
  package struct Space: Hashable, Sendable {
    package var id: SpaceID
    package var model: String
    /// Its record is lost: its layout and root come from its blocks and sessions, its fingerprint from nowhere.
    package var isPlaceholder: Bool
    /// Blocks that are whole up to the root.
    package var blockCount = 0
    package var sessionCount = 0
  }

  /// A session of which a record is whole.
  package struct Session: Hashable, Sendable {
    package enum Fate: String, Hashable, Sendable {
      /// As it was last committed.
      case whole
      /// As an earlier commit left it: the last lost blocks.
      case older
      /// What comes before the first block that it lost; or all but its checkpoint.
      case partial
      case lost
    }

    package var space: SpaceID
    package var name: String
    package var fate: Fate
    /// The newest revision, whatever came back.
    package var revision: UInt64
    package var tokenCount: Int
    package var blockCount: Int
    /// Blocks of which no whole frame was found.
    package var missingBlockCount: Int
    package var lacksCheckpoint: Bool
    /// Of the state that comes back.
    package var salvagedTokenCount: Int
    package var updatedMicroseconds: UInt64
    /// Why it does not come back as it was; empty where it does.
    package var reason: String

    /// Salvage brings it back unabridged.
    package var isWhole: Bool { fate == .whole }
  }

  package var fileByteCount: UInt64 = 0
  package var extentCount = 0
  package var blocks = Frames()
  package var checkpoints = Frames()
  /// Frames and session records that lack pieces: deleted and partly written over, or damaged.
  package var incompleteCount = 0
  /// Pieces that make up a whole which is neither frame nor session.
  package var unknownCount = 0
  package var spaces: [Space] = []
  /// By space and name.
  package var sessions: [Session] = []
  /// Session records that were found and fail their checksum: damage, or remains that were partly written over.
  package var damagedSessionCount = 0
  /// LMDB's own table of sessions could be read: sessions that were deleted are left out.
  package var isSessionTableRead = false
  /// Sessions left out because they were deleted.
  package var deletedSessionCount = 0
  /// Blocks that come back, and those of them that no session holds.
  package var salvagedBlockCount = 0
  package var cachedBlockCount = 0
  package var salvagedByteCount = 0
  /// A new store holds what came back.
  package var isWritten = false

  package var wholeSessionCount: Int { sessions.count { $0.fate == .whole } }
  package var lostSessionCount: Int { sessions.count { $0.fate == .lost } }
  /// Something that the store had does not come back as it was.
  package var hasLosses: Bool {
    sessions.contains { $0.fate != .whole } || spaces.contains { $0.isPlaceholder }
      || (!isSessionTableRead && (damagedSessionCount > 0 || spaces.isEmpty))
  }
  /// The file holds something of a kvpager store.
  package var isStore: Bool {
    extentCount > 0 || !sessions.isEmpty || !spaces.isEmpty || damagedSessionCount > 0
  }
}
