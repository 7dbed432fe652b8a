import KVDiskTier

extension Store {
  /// Writes the file of the store in folder `path`, which this process has not open, smaller.
  /// - Parameters:
  ///   - target: where a compacted copy goes, and the store stays as it is; nil: into its own place.
  ///   - dropsCache: deletes the blocks that no session refers to first; only in place.
  ///   - progress: told bytes written, of how many, from another thread.
  /// - Throws: `busy` where another process has the store open and it is to be exchanged; `alreadyExists`, `diskFull`,
  ///   `damaged`, `permissionDenied`, `inputOutput` also where the file has pages that belong to nothing, and what
  ///   opening throws.
  package static func compact(
    at path: String, into target: String? = nil, dropsCache: Bool = false,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws(StoreError) -> Compacted {
    guard let target else { return Compacted(try Compaction.replace(path, dropsCache: dropsCache, progress: progress)) }
    return Compacted(try Compaction.copy(path, into: target, progress: progress))
  }

  /// What compacting did.
  package struct Compacted: Hashable, Sendable {
    package var byteCountBefore: Int
    package var byteCountAfter: Int
    package var sessionCount: Int
    package var blockCount: Int
    package var deletedBlockCount: Int

    init(_ report: CompactionReport) {
      byteCountBefore = report.byteCountBefore
      byteCountAfter = report.byteCountAfter
      sessionCount = report.sessionCount
      blockCount = report.blockCount
      deletedBlockCount = report.deletedBlockCount
    }
  }
}
