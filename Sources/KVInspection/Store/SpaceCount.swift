import KVBlocks
import KVDiskTier

/// What blocks and sessions add up to, in one cache space or in all.
package struct SpaceCount: Hashable, Sendable {
  package var sessionCount = 0
  /// Blocks stored.
  package var blockCount = 0
  /// Places in sessions' block tables.
  package var referenceCount = 0
  /// Tokens of the blocks stored.
  package var tokenCount = 0
  /// Blocks shorter than the layout's.
  package var tailCount = 0
  /// Bytes of rows as if each session had its own.
  package var logicalByteCount = 0
  /// Bytes of rows of the blocks stored, before the codec.
  package var uniqueByteCount = 0
  /// Bytes of the blocks' frames, after the codec.
  package var compressedByteCount = 0
  /// Bytes of the file that the blocks' frames take.
  package var diskByteCount = 0

  mutating func add(_ block: BlockSummary, blockTokenCount: Int) {
    blockCount += 1
    referenceCount += block.sessionCount
    tokenCount &+= block.tokenCount
    if block.tokenCount < blockTokenCount { tailCount += 1 }
    logicalByteCount &+= block.sessionCount &* block.payloadByteCount
    uniqueByteCount &+= block.payloadByteCount
    compressedByteCount &+= block.frame.byteCount
    diskByteCount &+= block.frame.diskByteCount
  }

  mutating func add(_ other: SpaceCount) {
    sessionCount += other.sessionCount
    blockCount += other.blockCount
    referenceCount += other.referenceCount
    tokenCount &+= other.tokenCount
    tailCount += other.tailCount
    logicalByteCount &+= other.logicalByteCount
    uniqueByteCount &+= other.uniqueByteCount
    compressedByteCount &+= other.compressedByteCount
    diskByteCount &+= other.diskByteCount
  }
}
