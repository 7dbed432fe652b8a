/// What the writer gives the disk tier in one transaction.
package struct ColdBatch: Sendable {
  /// A block and the time of its last use.
  package struct Write: Sendable {
    package var frame: EncodedFrame
    /// Microseconds since 1970; deeper blocks of one chain are stamped as older.
    package var lastUse: UInt64
    /// The stored copy is known to be damaged: put this one in its place.
    package var replacesDamaged: Bool

    package init(frame: EncodedFrame, lastUse: UInt64, replacesDamaged: Bool = false) {
      self.frame = frame
      self.lastUse = lastUse
      self.replacesDamaged = replacesDamaged
    }
  }

  /// A use of a stored block, or several.
  package struct Touch: Sendable {
    package var key: BlockKey
    /// The latest; 0 for hits whose time was told before.
    package var lastUse: UInt64
    /// Look-ups that found the block and were not told before.
    package var hitCount: Int

    package init(key: BlockKey, lastUse: UInt64, hitCount: Int = 0) {
      self.key = key
      self.lastUse = lastUse
      self.hitCount = hitCount
    }
  }

  /// Parents before their children.
  package var writes: [Write]
  package var touches: [Touch]
  package var operations: [SessionOperation]

  package init(writes: [Write] = [], touches: [Touch] = [], operations: [SessionOperation] = []) {
    self.writes = writes
    self.touches = touches
    self.operations = operations
  }
}

/// What becomes of one session in a batch. Each succeeds or fails by itself.
package enum SessionOperation: Sendable {
  package enum Condition: Hashable, Sendable {
    /// A new name: `alreadyExists` otherwise.
    case absent
    /// The record that the writer read: `conflict` where another process wrote since, `notFound` where it was deleted.
    case revision(UInt64)
  }

  package enum CheckpointChange: Hashable, Sendable {
    case keep
    case remove
    case replace([UInt8])
  }

  /// Writes the record (the disk tier sets revision, `updatedMicroseconds` and `checkpointByteCount`) and counts its
  /// blocks.
  case put(SessionRecord, checkpoint: CheckpointChange, condition: Condition)
  case rename(space: SpaceID, from: String, to: String)
  case delete(space: SpaceID, name: String)
}

/// What a committed batch did.
package struct ColdCommit: Sendable {
  package enum WriteOutcome: Hashable, Sendable {
    case stored
    /// Another process stored the block meanwhile: nothing was written.
    case alreadyStored
    /// The block's parent is not stored (deleted meanwhile), so the block was not either.
    case orphaned
  }

  package enum OperationOutcome: Hashable, Sendable {
    /// The session's new revision (for `put`), else 0.
    case done(revision: UInt64)
    case failed(StoreError)
    /// Blocks of the record are not stored. Nothing of this operation was done; give them with the next batch and try
    /// again.
    case missingBlocks([BlockHash])
  }

  /// One for each of the batch's writes, in their order.
  package var writes: [WriteOutcome]
  /// One for each of the batch's operations, in their order.
  package var operations: [OperationOutcome]
  /// Blocks that the quota deleted.
  package var deletedBlockCount: Int

  package init(writes: [WriteOutcome] = [], operations: [OperationOutcome] = [], deletedBlockCount: Int = 0) {
    self.writes = writes
    self.operations = operations
    self.deletedBlockCount = deletedBlockCount
  }
}
