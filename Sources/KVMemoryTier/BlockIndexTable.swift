// Invariants:
// - `capacity` is a power of two and at most half of the cells are taken, so every probe ends.
// - A key's cell is reached from its home cell without passing an empty one.
// - A cell holds a frame's slot + 1; 0 is empty. The keys themselves lie in the pool's slots.
import KVBlocks

/// BlockKey -> FrameIndex, open addressing with linear probing. Keys are digests, so their own words are the hash.
///
/// A cell keeps 32 bits of the hash beside the frame, so that a probe leaves the table for a slot only where they
/// agree.
struct BlockIndexTable: ~Copyable {
  private struct Cell: BitwiseCopyable {
    var tag: UInt32
    var slotPlusOne: UInt32
  }

  private var cells: UnsafeMutablePointer<Cell>
  private(set) var capacity: Int
  private(set) var count = 0

  init() {
    capacity = 64
    cells = .allocate(capacity: capacity)
    cells.initialize(repeating: Cell(tag: 0, slotPlusOne: 0), count: capacity)
  }

  deinit { cells.deallocate() }

  /// Mixes the space in, since two spaces may hold blocks of one hash (the same vLLM seed).
  @inline(__always)
  static func hash(_ key: BlockKey) -> UInt64 {
    key.hash.words.0 ^ (UInt64(key.space.rawValue) &* 0x9e37_79b9_7f4a_7c15)
  }

  @inline(__always)
  func find(_ key: BlockKey, in slots: UnsafeMutablePointer<FrameSlot>) -> FrameIndex? {
    let hash = Self.hash(key)
    let tag = UInt32(truncatingIfNeeded: hash >> 32)
    let mask = capacity &- 1
    var position = Int(truncatingIfNeeded: hash) & mask
    while true {
      let cell = cells[position]
      if cell.slotPlusOne == 0 { return nil }
      if cell.tag == tag {
        let slot = Int(cell.slotPlusOne &- 1)
        if slots[slot].key == key { return FrameIndex(slot) }
      }
      position = (position &+ 1) & mask
    }
  }

  /// - Precondition: the key is not in the table.
  mutating func insert(_ key: BlockKey, _ frame: FrameIndex, in slots: UnsafeMutablePointer<FrameSlot>) {
    if (count + 1) * 2 > capacity { grow(slots) }
    place(Self.hash(key), frame.rawValue &+ 1)
    count += 1
  }

  /// Removes a key and closes the gap, so that there are no tombstones to clear.
  mutating func remove(_ key: BlockKey, in slots: UnsafeMutablePointer<FrameSlot>) {
    let mask = capacity &- 1
    var hole = Int(truncatingIfNeeded: Self.hash(key)) & mask
    while true {
      let cell = cells[hole]
      precondition(cell.slotPlusOne != 0, "the block is not in the table")
      if slots[Int(cell.slotPlusOne &- 1)].key == key { break }
      hole = (hole &+ 1) & mask
    }
    var next = (hole &+ 1) & mask
    while cells[next].slotPlusOne != 0 {
      let home = Int(truncatingIfNeeded: Self.hash(slots[Int(cells[next].slotPlusOne &- 1)].key)) & mask
      // The cell may move back into the hole only if its home does not lie cyclically in (hole, next].
      if (next &- home) & mask >= (next &- hole) & mask {
        cells[hole] = cells[next]
        hole = next
      }
      next = (next &+ 1) & mask
    }
    cells[hole] = Cell(tag: 0, slotPlusOne: 0)
    count -= 1
  }

  private mutating func place(_ hash: UInt64, _ slotPlusOne: UInt32) {
    let mask = capacity &- 1
    var position = Int(truncatingIfNeeded: hash) & mask
    while cells[position].slotPlusOne != 0 { position = (position &+ 1) & mask }
    cells[position] = Cell(tag: UInt32(truncatingIfNeeded: hash >> 32), slotPlusOne: slotPlusOne)
  }

  private mutating func grow(_ slots: UnsafeMutablePointer<FrameSlot>) {
    let old = cells
    let oldCapacity = capacity
    capacity *= 2
    cells = .allocate(capacity: capacity)
    cells.initialize(repeating: Cell(tag: 0, slotPlusOne: 0), count: capacity)
    for position in 0..<oldCapacity where old[position].slotPlusOne != 0 {
      place(Self.hash(slots[Int(old[position].slotPlusOne &- 1)].key), old[position].slotPlusOne)
    }
    old.deallocate()
  }
}
