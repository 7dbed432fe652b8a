// Invariants:
// - `allocatedBytes` is the sum of all frames' memory and at most `budgetBytes`; `peakBytes` is its largest value so
//   far.
// - Every readable or loading frame is in `table` under its key, exactly once; no other frame is.
// - `evictableBytes`, `freeBytes`, `dirtyBytes`, `frameCount`, `pinnedCount`, `dirtyCount` are what a walk over the
//   frames finds.
// - A free frame with memory is in `freeBySize`, one without in `vacant`; nobody pins or holds either.
// - Every frame with hits to tell is in `framesWithHits`, once; only resident blocks have any.
// - `children` lists just the resident frames that have a descriptor, under their parents.
import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// The memory tier: frames of decoded blocks under one budget in bytes, shared by cache spaces whose frames differ in
/// size.
///
/// A plain value without a lock of its own; the pager's lock guards it.
package struct BlockPool: ~Copyable {
  package let budgetBytes: Int
  package internal(set) var allocatedBytes = 0
  package internal(set) var peakBytes = 0
  /// Bytes of free frames that keep their memory.
  package internal(set) var freeBytes = 0
  package internal(set) var evictableBytes = 0
  /// Bytes of dirty frames, those being written included.
  package internal(set) var dirtyBytes = 0
  package internal(set) var dirtyCount = 0
  /// Frames that have memory.
  package internal(set) var frameCount = 0
  /// Frames under at least one lease.
  package internal(set) var pinnedCount = 0
  package internal(set) var evictionCount: UInt64 = 0
  /// Frames whose memory came from the operating system, since the pool began.
  package internal(set) var allocationCount: UInt64 = 0

  var table = BlockIndexTable()
  var slots: UnsafeMutablePointer<FrameSlot>
  var slotCapacity: Int
  /// Slots in use so far, free ones included.
  var slotCount = 0
  var contents: [FrameContents?] = []
  var children: [BlockKey: [FrameIndex]] = [:]
  var freeBySize: [Int: [FrameIndex]] = [:]
  var vacant: [FrameIndex] = []
  var framesWithHits: [FrameIndex] = []
  /// Hits of blocks that left RAM before they were told.
  var departedHits: [BlockHits] = []
  let policy: any EvictionPolicy

  package init(budgetBytes: Int, policy: any EvictionPolicy) {
    self.budgetBytes = budgetBytes
    self.policy = policy
    slotCapacity = 64
    slots = .allocate(capacity: slotCapacity)
    policy.grow(toFrameCount: slotCapacity)
  }

  deinit {
    for slot in 0..<slotCount { free(slots[slot].base) }
    slots.deallocate()
  }

  package var residentCount: Int { table.count }

  package subscript(_ frame: FrameIndex) -> FrameSlot {
    @inline(__always) get { slots[frame.slot] }
    @inline(__always) nonmutating _modify { yield &slots[frame.slot] }
  }

  package func contents(of frame: FrameIndex) -> FrameContents? { contents[frame.slot] }

  package func memory(of frame: FrameIndex) -> FrameMemory {
    guard let base = slots[frame.slot].base else { preconditionFailure("a frame in use has memory") }
    return FrameMemory(base: base, byteCount: slots[frame.slot].byteCount)
  }

  /// The frame that holds a block or is about to (``FrameState/loading``).
  @inline(__always)
  package func find(_ key: BlockKey) -> FrameIndex? { table.find(key, in: slots) }

  /// The frame of a block whose rows may be read now.
  @inline(__always)
  package func findReadable(_ key: BlockKey) -> FrameIndex? {
    guard let frame = table.find(key, in: slots), slots[frame.slot].isReadable else { return nil }
    return frame
  }

  /// Resident blocks after `parent` whose tokens are known here: those sealed by this process.
  package func children(of parent: BlockKey) -> [FrameIndex] { children[parent] ?? [] }

  /// Visits every frame that is not free.
  package func forEachFrame(_ body: (FrameIndex, FrameSlot) -> Void) {
    for slot in 0..<slotCount where slots[slot].state != .free { body(FrameIndex(slot), slots[slot]) }
  }

  // MARK: Counting

  /// Takes a frame's share out of the counters, lets `change` alter it, and counts it again.
  @inline(__always)
  mutating func recounting(_ frame: FrameIndex, _ change: (inout FrameSlot) -> Void) {
    count(slots[frame.slot], sign: -1)
    change(&slots[frame.slot])
    count(slots[frame.slot], sign: 1)
  }

  @inline(__always)
  private mutating func count(_ slot: FrameSlot, sign: Int) {
    if slot.isEvictable { evictableBytes += sign * slot.byteCount }
    if slot.state == .free { freeBytes += sign * slot.byteCount }
    if slot.state == .dirty || slot.state == .writing {
      dirtyBytes += sign * slot.byteCount
      dirtyCount += sign
    }
    if slot.pinCount > 0 { pinnedCount += sign }
  }
}
