import KVBlocks
import KVDiskTier

/// What the bytes of a store's file are, each counted once: the parts add up to the file.
package struct FileComposition: Hashable, Sendable {
  /// Frames of blocks.
  package var frameByteCount = 0
  package var checkpointByteCount = 0
  /// Sessions' tokens, block tables and metadata, where they lie in extents of their own.
  package var sessionBodyByteCount = 0
  /// What extents hold beside their payload: headers, and the rest of their last page.
  package var paddingByteCount = 0
  /// Pages of the tables' trees, the records of blocks and sessions in them, and LMDB's own.
  package var treeByteCount = 0
  /// Pages that wait to be used again.
  package var freeByteCount = 0
  /// Pages that nothing leads to any more.
  package var unreachableByteCount = 0

  package var totalByteCount: Int {
    frameByteCount + checkpointByteCount + sessionBodyByteCount + paddingByteCount + treeByteCount + freeByteCount
      + unreachableByteCount
  }

  init(_ statistics: StoreStatistics) {
    let file = statistics.file
    let extentPageCount = file.tables.first { $0.name == Self.extentTableName }?.overflowPageCount ?? 0
    var left = statistics.fileByteCount
    // Others may write between the guard's walk and the scan: no part is negative, and the sum stays.
    func take(_ count: Int) -> Int {
      let taken = min(max(0, count), left)
      left -= taken
      return taken
    }
    let waste = statistics.waste
    freeByteCount = take(waste.freeByteCount)
    unreachableByteCount = take(waste.unreachableByteCount)
    frameByteCount = take(statistics.compressedByteCount)
    checkpointByteCount = take(statistics.checkpointByteCount)
    paddingByteCount = take(waste.extentPaddingByteCount)
    sessionBodyByteCount = take(
      Int(clamping: extentPageCount) &* file.pageByteCount - frameByteCount - checkpointByteCount - paddingByteCount)
    treeByteCount = left
  }

  private static let extentTableName = "extents"
}
