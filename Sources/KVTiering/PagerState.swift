// Invariants:
// - `dirtyQueue` holds each dirty or writing frame exactly once, in the order of sealing but for revived parents, which
//   stand before their children; it holds no other frame.
// - Only the writer thread makes a frame `writing`, and it does so for one batch at a time.
// - `protections` has no zero counts.
// - A key in `damagedKeys` counts as absent from disk.
// - `condemned` is empty but while the writer thread is inside the disk tier: blocks that it may be deleting.
// - `refusal` is set at most once, by closing or by a writer thread that could not start.
import KVBlocks
import KVMemoryTier

/// All that the pager's one lock guards. Its methods plan and settle; none of them waits, reads or writes a file.
struct PagerState: ~Copyable {
  let configuration: PagerConfiguration
  var pool: BlockPool
  var refusal: StoreError?
  var dirtyQueue: [FrameIndex] = []
  var protections: [BlockKey: Int] = [:]
  var damagedKeys: Set<BlockKey> = []
  var condemned: Set<BlockKey> = []
  /// Why a load failed that others wait for.
  var loadFailures: [FrameIndex: StoreError] = [:]
  var touches = TouchLog()
  var requests: [WriterRequest] = []
  /// The request for a frame that is under way, shared by all who wait for one.
  var pressure: WriterRequest?
  var writer = WriterPacing()
  var counters = PagerStatistics()

  init(configuration: PagerConfiguration) {
    self.configuration = configuration
    pool = BlockPool(budgetBytes: configuration.memoryBudgetBytes, policy: configuration.eviction.makePolicy())
  }

  static let closed = StoreError(.closed, "the store was closed; open it again")

  func checkOpen() throws(StoreError) {
    if let refusal { throw refusal }
  }

  var statistics: PagerStatistics {
    var result = counters
    result.evictions = pool.evictionCount
    result.framesAllocated = pool.frameCount
    result.allocatedBytes = pool.allocatedBytes
    result.peakBytes = pool.peakBytes
    result.residentBlocks = pool.residentCount
    result.pinnedBlocks = pool.pinnedCount
    result.dirtyBlocks = pool.dirtyCount
    return result
  }

  // MARK: Room

  /// What to do about a frame that cannot be had at once.
  enum RoomPlan: Sendable {
    /// Wait for the writer to write a batch back.
    case writeBack(WriterRequest)
    /// Wait until a load or a copy under way has ended.
    case wait
    case refuse(StoreError)
  }

  /// `neededBytes` do not fit now. Waits are only for what ends by itself: writes, loads and copies that nobody has
  /// leased.
  ///
  /// - Parameters:
  ///   - askedBytes: what the caller wants in all, for the error's words; `neededBytes` where nil.
  ///   - pinnedCount: the frames under other leases, likewise.
  mutating func planRoom(neededBytes: Int, askedBytes: Int? = nil, pinnedCount: Int? = nil) -> RoomPlan {
    var transientBytes = 0
    var canWriteBack = false
    pool.forEachFrame { _, slot in
      guard slot.isTransient else { return }
      transientBytes += slot.byteCount
      if slot.state == .dirty || slot.state == .writing { canWriteBack = true }
    }
    let reachable = pool.budgetBytes - pool.allocatedBytes + pool.freeBytes + pool.evictableBytes + transientBytes
    guard neededBytes <= reachable else {
      return .refuse(exhausted(askedBytes ?? neededBytes, pinnedCount ?? pool.pinnedCount))
    }
    guard canWriteBack else {
      return transientBytes > 0
        ? .wait
        : .refuse(
          StoreError(
            .poolExhausted, "the system has no memory for \(neededBytes) bytes of frames; lower the RAM budget"))
    }
    if let pressure { return .writeBack(pressure) }
    let request = WriterRequest(.flushBatch)
    pressure = request
    requests.append(request)
    return .writeBack(request)
  }

  private func exhausted(_ askedBytes: Int, _ pinnedCount: Int) -> StoreError {
    StoreError(
      .poolExhausted,
      "\(pinnedCount) of \(pool.frameCount) frames are pinned and \(askedBytes) bytes are needed at one time, with a "
        + "RAM budget of \(pool.budgetBytes) bytes; end leases, lease fewer blocks at a time or raise the RAM budget")
  }

  mutating func reserve(byteCount: Int) -> FrameIndex? {
    guard let frame = pool.reserve(byteCount: byteCount) else { return nil }
    if !loadFailures.isEmpty { loadFailures[frame] = nil }
    return frame
  }

  // MARK: Uses

  /// Marks a chain's resident blocks as used, deepest first, and notes the use for the disk tier, as a hit of each
  /// block where it is one.
  ///
  /// The disk tier hears of a block once an interval; where it hears of one, it hears of all blocks before it in the
  /// chain, so that a leaf is never younger than its parents.
  mutating func touch(_ hashes: ArraySlice<BlockHash>, in space: SpaceID, usesFrames: Bool, isHit: Bool) {
    guard !hashes.isEmpty else { return }
    let base = touches.stampBase(chainCount: hashes.count)
    var isDue = false
    var depth = hashes.count
    for hash in hashes.reversed() {
      depth -= 1
      let key = BlockKey(space: space, hash: hash)
      let stamp = base - UInt64(depth)
      guard let frame = pool.find(key) else {
        isDue = true
        touches.append(key, lastUse: stamp, hitCount: isHit ? 1 : 0)
        continue
      }
      if usesFrames { pool.use(frame) }
      if isHit { pool.noteHit(frame) }
      isDue = isDue || stamp > pool[frame].lastUse &+ configuration.touchIntervalMicroseconds
      guard isDue else { continue }
      pool[frame].lastUse = stamp
      if pool[frame].isStored { touches.append(key, lastUse: stamp, hitCount: pool.takeHits(of: frame)) }
    }
  }

  /// A look-up found the block beside its chain's: a hit, and no use that the order of recency knows.
  mutating func noteHit(of key: BlockKey) {
    if let frame = pool.find(key) { pool.noteHit(frame) } else { touches.append(key, lastUse: 0, hitCount: 1) }
  }

  /// What the disk tier is told with a batch. Hits that came between two uses told to it wait with their blocks until
  /// they, too, are an interval old, so that each batch writes no more records than it would without them; when the
  /// pager ends, none wait.
  mutating func takeTouches() -> [ColdBatch.Touch] {
    let interval = configuration.touchIntervalMicroseconds
    let now = TouchLog.microseconds()
    let isEnding = writer.isStopping
    let hits = pool.takeHits { slot in
      isEnding || ((slot.isStored || slot.state == .writing) && now > slot.lastUse &+ interval)
    }
    for hit in hits { touches.append(hit.key, lastUse: 0, hitCount: hit.count) }
    return touches.take()
  }

  /// Blocks that the full quota kept from disk while nobody protected them are to be written after all.
  mutating func protect(_ keys: [BlockKey]) {
    var revived: [FrameIndex] = []
    for key in keys {
      protections[key, default: 0] += 1
      guard let frame = pool.findReadable(key), pool[frame].state == .clean, !pool[frame].isStored,
        let descriptor = pool.contents(of: frame)?.descriptor
      else { continue }
      pool.makeDirty(frame, descriptor: descriptor)
      revived.append(frame)
    }
    if !revived.isEmpty { dirtyQueue.insert(contentsOf: revived, at: 0) }
  }

  /// The log of uses is full and no batch is due that would take it along.
  var wantsTouchesFlushed: Bool { touches.isFull && dirtyQueue.isEmpty }

  mutating func unprotect(_ keys: [BlockKey]) {
    for key in keys {
      guard let count = protections[key] else { preconditionFailure("a protection is given back once") }
      protections[key] = count > 1 ? count - 1 : nil
    }
  }

  // MARK: Deletion

  /// Whether the disk tier must keep a block. Where not, it is condemned: until the writer is back, nobody counts on
  /// it.
  mutating func mustKeep(_ key: BlockKey) -> Bool {
    if protections[key] != nil { return true }
    // One that is loading or leased stays, so that what is in RAM without a descriptor is stored too.
    if let frame = pool.find(key), pool[frame].pinCount > 0 || pool[frame].holdCount > 0 { return true }
    condemned.insert(key)
    return false
  }

  /// The writer is back. What it may have deleted is not stored any more as far as is known: what has a descriptor can
  /// be written again, what has none leaves RAM, for nobody could bring it back to disk.
  mutating func settleCondemned() {
    guard !condemned.isEmpty else { return }
    var revived: [FrameIndex] = []
    for key in condemned {
      guard let frame = pool.find(key), pool[frame].state == .clean else { continue }
      pool.noteUnstored(frame)
      if let descriptor = pool.contents(of: frame)?.descriptor {
        guard protections[key] != nil else { continue }
        pool.makeDirty(frame, descriptor: descriptor)
        revived.append(frame)
      } else if pool[frame].pinCount == 0, pool[frame].holdCount == 0 {
        pool.evict(frame)
      }
    }
    condemned.removeAll()
    // Parents were used after their children.
    revived.sort { pool[$0].lastUse > pool[$1].lastUse }
    dirtyQueue.insert(contentsOf: revived, at: 0)
  }

  mutating func noteDamage(_ key: BlockKey) {
    counters.damaged += 1
    damagedKeys.insert(key)
  }

  /// Checks the list at the head of this file, and the pool's.
  func assertInvariants() {
    pool.assertInvariants()
    let queued = Set(dirtyQueue)
    precondition(queued.count == dirtyQueue.count, "a dirty frame is queued once")
    precondition(queued.count == pool.dirtyCount, "all dirty frames are queued")
    for frame in dirtyQueue {
      let state = pool[frame].state
      precondition(state == .dirty || state == .writing, "only dirty frames are queued")
    }
    precondition(protections.values.allSatisfy { $0 > 0 }, "protections are counted")
  }
}
