/// What a pager is allowed to use.
package struct PagerConfiguration: Sendable {
  /// Bytes of decoded frames in RAM at most.
  package var memoryBudgetBytes: Int
  /// Dirty frames are written back in batches of about this many bytes.
  package var writeBatchBytes: Int
  /// Threads that load blocks besides the caller's own.
  package var loadThreadCount: Int

  package init(memoryBudgetBytes: Int, writeBatchBytes: Int = 64 << 20, loadThreadCount: Int = 2) {
    self.memoryBudgetBytes = memoryBudgetBytes
    self.writeBatchBytes = writeBatchBytes
    self.loadThreadCount = loadThreadCount
  }
}
