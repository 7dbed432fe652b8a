// Invariants:
// - A resident frame is in exactly one of `small` and `main`; pinned frames stay where they are and are passed over.
// - `ghosts` remembers at most as many hashes as there are frames.

/// S3-FIFO: new blocks wait in a small queue and move to the main one if they were used there; blocks that come back
/// soon after leaving go to the main queue at once. Gains where RAM holds few of the blocks in use.
package final class S3FIFO: EvictionPolicy {
  private nonisolated(unsafe) var small = FrameList()  // because: every call comes under the pager's lock
  private nonisolated(unsafe) var main = FrameList()  // because: every call comes under the pager's lock
  private nonisolated(unsafe) var uses: [UInt8] = []  // because: every call comes under the pager's lock
  private nonisolated(unsafe) var ghosts: [UInt64: Int] = [:]  // because: every call comes under the pager's lock
  private nonisolated(unsafe) var departures = 0  // because: every call comes under the pager's lock

  private static let useLimit: UInt8 = 3
  /// The small queue is kept at a tenth of the resident blocks.
  private static let smallShare = 10

  package init() {}

  package func grow(toFrameCount count: Int) {
    small.grow(to: count)
    main.grow(to: count)
    uses.append(contentsOf: repeatElement(0, count: max(0, count - uses.count)))
  }

  package func admit(_ frame: FrameIndex, hash: UInt64, behind parent: FrameIndex?) {
    uses[frame.slot] = 0
    if ghosts.removeValue(forKey: hash) != nil {
      main.pushNewest(frame)
    } else if let parent, small.contains(parent) {
      small.insert(frame, olderThan: parent)
    } else {
      small.pushNewest(frame)
    }
  }

  package func use(_ frame: FrameIndex) { uses[frame.slot] = min(uses[frame.slot] + 1, Self.useLimit) }
  package func hold(_ frame: FrameIndex) { use(frame) }
  package func release(_ frame: FrameIndex) {}

  package func remove(_ frame: FrameIndex, hash: UInt64) {
    if small.contains(frame) { remember(hash) }
    small.remove(frame)
    main.remove(frame)
  }

  package func victim(where isEvictable: (FrameIndex) -> Bool) -> FrameIndex? {
    // Each round either finds a victim, moves a frame out of the small queue or spends one use: it ends.
    while true {
      let isSmallFull = small.count * Self.smallShare >= small.count + main.count
      if isSmallFull, let frame = small.oldest(where: isEvictable) {
        if uses[frame.slot] <= 1 { return frame }
        small.remove(frame)
        uses[frame.slot] = 0
        main.pushNewest(frame)
      } else if let frame = main.oldest(where: isEvictable) {
        if uses[frame.slot] == 0 { return frame }
        uses[frame.slot] -= 1
        main.remove(frame)
        main.pushNewest(frame)
      } else {
        return small.oldest(where: isEvictable)
      }
    }
  }

  private func remember(_ hash: UInt64) {
    departures += 1
    ghosts[hash] = departures
    let limit = max(16, uses.count)
    guard ghosts.count > limit else { return }
    // Forgetting the older half at once keeps the cost per departure constant.
    let cut = departures - limit / 2
    ghosts = ghosts.filter { $0.value > cut }
  }
}
