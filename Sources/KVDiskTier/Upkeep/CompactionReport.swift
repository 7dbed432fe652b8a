/// What compacting a store did.
package struct CompactionReport: Hashable, Sendable {
  /// Bytes of the store's file before.
  package var byteCountBefore = 0
  /// Bytes of the smaller file.
  package var byteCountAfter = 0
  /// Blocks that no session referred to and that were deleted first, where that was asked for.
  package var deletedBlockCount = 0
  package var sessionCount = 0
  package var blockCount = 0
}
