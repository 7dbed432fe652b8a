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
  /// Pages of the tables' trees: the records of blocks and sessions, and the way to them.
  package var treeByteCount = 0
  /// Pages that wait to be used again.
  package var freeByteCount = 0
  /// Pages that nothing leads to any more.
  package var unreachableByteCount = 0

  package var totalByteCount: Int {
    frameByteCount + checkpointByteCount + sessionBodyByteCount + paddingByteCount + treeByteCount + freeByteCount
      + unreachableByteCount
  }

  /// - Parameters:
  ///   - frames: bytes of all blocks' frames.
  ///   - sessions: all of them.
  init(file: LMDBFileReport, frames: Int, sessions: [SessionSummary]) {
    let pageByteCount = file.pageByteCount
    func bytes(_ pages: UInt64) -> Int { Int(clamping: pages) &* pageByteCount }
    let fileByteCount = Int(clamping: file.fileByteCount)
    let overflow = bytes(file.tables.reduce(0) { $0 &+ $1.overflowPageCount })
    let checkpoints = sessions.reduce(0) { $0 &+ ($1.checkpoint?.frame.byteCount ?? 0) }
    let bodies = sessions.reduce(0) { $0 &+ ($1.body.id == 0 ? 0 : $1.body.byteCount) }
    // The tables may have changed between the guard's walk and the scan: no part is negative, and the sum stays.
    var left = fileByteCount
    func take(_ count: Int) -> Int {
      let taken = min(max(0, count), left)
      left -= taken
      return taken
    }
    freeByteCount = take(bytes(file.freePageCount))
    unreachableByteCount = take(bytes(file.unreachablePageCount))
    frameByteCount = take(frames)
    checkpointByteCount = take(checkpoints)
    sessionBodyByteCount = take(bodies)
    paddingByteCount = take(overflow - frames - checkpoints - bodies)
    treeByteCount = left
  }
}
