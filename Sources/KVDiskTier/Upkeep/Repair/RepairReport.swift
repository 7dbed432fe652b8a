import KVBlocks

/// Frames that an audit found damaged: a repair reads them again before it believes it.
package struct RepairSuspects: Hashable, Sendable {
  var frames: [FrameOwner] = []

  package init() {}

  init(frames: [FrameOwner]) { self.frames = frames }
}

/// What a repair did.
package struct RepairReport: Hashable, Sendable {
  /// A session that was cut back to what is whole of it.
  package struct Cut: Hashable, Sendable {
    package var space: SpaceID
    package var name: String
    package var oldTokenCount: Int
    package var newTokenCount: Int
  }

  /// Blocks whose records were made anew from their frames.
  package var restoredBlockCount = 0
  /// Sessions whose records were made anew from their bodies.
  package var restoredSessionCount = 0
  /// Cache spaces whose records were found under another's number.
  package var restoredSpaceCount = 0
  /// Extents that lay under keys that were not theirs.
  package var restoredExtentCount = 0
  /// Blocks that cannot be read, and those that hung on them.
  package var droppedBlockCount = 0
  /// Sessions whose records could not be read.
  package var droppedSessions: [String] = []
  package var cuts: [Cut] = []
  package var droppedCheckpoints: [String] = []
  package var correctedCountCount = 0
  /// Entries of `children` and `recency`, written or deleted.
  package var correctedLinkCount = 0
  package var rewrittenSessionCount = 0
  package var rewrittenExtentCount = 0
  package var correctedCounters = false
  package var deletedEntryCount = 0
  package var deletedExtentCount = 0

  package init() {}

  package var didNothing: Bool { self == RepairReport() }
}
