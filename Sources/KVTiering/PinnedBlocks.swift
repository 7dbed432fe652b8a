import KVBlocks
import KVMemoryTier

/// A run of blocks kept in RAM until this value goes. Reading them copies nothing and takes no lock.
package struct PinnedBlocks: ~Copyable, Sendable {
  private let pager: Pager
  private let entries: PinnedEntries
  /// Blocks in the run.
  package let count: Int

  init(pager: Pager, entries: PinnedEntries, count: Int) {
    self.pager = pager
    self.entries = entries
    self.count = count
  }

  deinit {
    if count > 0 { pager.unpin(entries, count: count) }
    entries.deallocate()
  }

  /// Block `index`'s frame. Valid until this value goes.
  package func bytes(of index: Int) -> UnsafeRawBufferPointer {
    precondition(index >= 0 && index < count, "a block outside the lease")
    return UnsafeRawBufferPointer(start: entries[index].base, count: entries[index].byteCount)
  }

  package func tokenCount(of index: Int) -> Int {
    precondition(index >= 0 && index < count, "a block outside the lease")
    return Int(entries[index].tokenCount)
  }
}

struct PinnedEntry: @unchecked Sendable {  // because: a pin keeps the frame it points into
  var base: UnsafeRawPointer?
  var byteCount: Int
  var frame: FrameIndex
  var tokenCount: UInt32

  static let none = FrameIndex(rawValue: .max)
  static let empty = PinnedEntry(base: nil, byteCount: 0, frame: none, tokenCount: 0)
}

/// A lease's entries, in memory of their own: one allocation for a lease, none for a block.
struct PinnedEntries: @unchecked Sendable {  // because: one call fills them, afterwards they only are read
  private let start: UnsafeMutablePointer<PinnedEntry>

  init(count: Int) {
    start = .allocate(capacity: max(1, count))
    start.initialize(repeating: .empty, count: max(1, count))
  }

  subscript(_ index: Int) -> PinnedEntry {
    @inline(__always) get { start[index] }
    @inline(__always) nonmutating _modify { yield &start[index] }
  }

  func deallocate() { start.deallocate() }
}
