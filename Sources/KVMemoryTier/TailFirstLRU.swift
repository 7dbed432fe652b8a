// Invariants:
// - `list` holds the resident, unpinned frames, most recently used first; a pinned frame is in use and in no list.

/// Least recently used first. Since a chain's deeper blocks are told first, they are older: leaves go before their
/// parents.
package final class TailFirstLRU: EvictionPolicy {
  private nonisolated(unsafe) var list = FrameList()  // because: every call comes under the pager's lock

  package init() {}

  package func grow(toFrameCount count: Int) { list.grow(to: count) }

  package func admit(_ frame: FrameIndex, hash: UInt64, behind parent: FrameIndex?) {
    if let parent, list.contains(parent) {
      list.insert(frame, olderThan: parent)
    } else {
      list.pushNewest(frame)
    }
  }

  package func use(_ frame: FrameIndex) {
    list.remove(frame)
    list.pushNewest(frame)
  }

  package func hold(_ frame: FrameIndex) { list.remove(frame) }
  package func release(_ frame: FrameIndex) { list.pushNewest(frame) }
  package func remove(_ frame: FrameIndex, hash: UInt64) { list.remove(frame) }

  package func victim(where isEvictable: (FrameIndex) -> Bool) -> FrameIndex? {
    list.oldest(where: isEvictable)
  }
}
