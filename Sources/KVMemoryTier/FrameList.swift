// Invariants:
// - `links[head].newer` and `links[tail].older` are none; `count` frames lie between them.
// - A frame that is not in the list has `isLinked == false` and stale neighbours.

/// A doubly linked list over frames, newest to oldest, the links in one array beside the frames.
struct FrameList: ~Copyable {
  private struct Link: BitwiseCopyable {
    var newer: UInt32
    var older: UInt32
    var isLinked: Bool
  }

  private static let none = UInt32.max
  private var links: UnsafeMutablePointer<Link>
  private var capacity = 0
  private var newest = FrameList.none
  private var oldest = FrameList.none
  private(set) var count = 0

  init() { links = .allocate(capacity: 1) }

  deinit { links.deallocate() }

  mutating func grow(to newCapacity: Int) {
    guard newCapacity > capacity else { return }
    let fresh = UnsafeMutablePointer<Link>.allocate(capacity: newCapacity)
    fresh.update(from: links, count: capacity)
    (fresh + capacity).initialize(
      repeating: Link(newer: Self.none, older: Self.none, isLinked: false), count: newCapacity - capacity)
    links.deallocate()
    links = fresh
    capacity = newCapacity
  }

  func contains(_ frame: FrameIndex) -> Bool { links[frame.slot].isLinked }

  mutating func pushNewest(_ frame: FrameIndex) {
    let me = frame.rawValue
    links[frame.slot] = Link(newer: Self.none, older: newest, isLinked: true)
    if newest == Self.none { oldest = me } else { links[Int(newest)].newer = me }
    newest = me
    count += 1
  }

  /// Inserts `frame` as the next older neighbour of `other`, which is in the list.
  mutating func insert(_ frame: FrameIndex, olderThan other: FrameIndex) {
    let older = links[other.slot].older
    links[frame.slot] = Link(newer: other.rawValue, older: older, isLinked: true)
    links[other.slot].older = frame.rawValue
    if older == Self.none { oldest = frame.rawValue } else { links[Int(older)].newer = frame.rawValue }
    count += 1
  }

  mutating func remove(_ frame: FrameIndex) {
    let link = links[frame.slot]
    guard link.isLinked else { return }
    if link.newer == Self.none { newest = link.older } else { links[Int(link.newer)].older = link.older }
    if link.older == Self.none { oldest = link.newer } else { links[Int(link.older)].newer = link.newer }
    links[frame.slot].isLinked = false
    count -= 1
  }

  /// From the oldest on, the first frame for which `condition` holds.
  func oldest(where condition: (FrameIndex) -> Bool) -> FrameIndex? {
    var position = oldest
    while position != Self.none {
      if condition(FrameIndex(rawValue: position)) { return FrameIndex(rawValue: position) }
      position = links[Int(position)].newer
    }
    return nil
  }
}
