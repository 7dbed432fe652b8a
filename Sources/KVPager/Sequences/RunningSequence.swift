import KVTiering

// Invariants:
// - Tokens lie in the blocks of `keys`, all full, then in the tails of `open`, all full but the last.
// - While the sequence is in RAM, `frames` names the frames of both, in order, and each is pinned or its own.
// - A preempted sequence holds no frame; `keys` may end in a short block then.
// - No error shortens it: whatever throws, each token has its row.
// - Rows become a block only after the engine wrote them: nothing is sealed while `owed` names a plane.
// - `keys` are protected from the quota as long as the sequence is.
// - Only the last tail may be shared with other sequences, and only while it is not full.

/// A sequence in flight: its tokens, and the frames in RAM that hold their rows, one block after the other, anywhere.
///
/// The engine appends tokens, which reserves their rows, writes keys and values layer by layer, and computes attention
/// over ``unsafeFrames`` where they lie. Blocks that are full and written become the store's: found by look-ups,
/// written to disk, and kept there when the sequence ends.
public final class RunningSequence: Sendable {
  public let pool: SequencePool
  let state = Lock(State())

  struct State: @unchecked Sendable {  // because: frames are shared memory by nature
    var tokens: [Token] = []
    var keys: [BlockKey] = []
    var pins: [Pin] = []
    var open: [TailFrame] = []
    var frames: [UnsafeRawPointer] = []
    /// Tokens whose rows the last append reserved.
    var newTokenCount = 0
    /// Planes whose rows of these the engine has not written.
    var owed = OwedPlanes()
    var isPreempted = false
    var isFreed = false
  }

  /// Planes whose rows are still to be written.
  struct OwedPlanes {
    private var isOwed: [Bool] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func owe(planeCount: Int) {
      clear()
      isOwed.append(contentsOf: repeatElement(true, count: planeCount))
      count = planeCount
    }

    mutating func clear() {
      isOwed.removeAll(keepingCapacity: true)
      count = 0
    }

    mutating func write(plane: Int) {
      guard isOwed.indices.contains(plane), isOwed[plane] else { return }
      isOwed[plane] = false
      count -= 1
    }
  }

  /// Pinned blocks, to be kept in a list.
  final class Pin: Sendable {
    let blocks: PinnedBlocks
    init(_ blocks: consuming PinnedBlocks) { self.blocks = blocks }
  }

  init(pool: SequencePool) {
    self.pool = pool
    pool.ledger.withLock { $0.count(running: 1) }
  }

  deinit { free() }

  var pager: Pager { pool.space.store.pager }
  var layout: BlockLayout { pool.space.layout }

  public var tokens: [Token] { state.withLock { $0.tokens } }
  public var tokenCount: Int { state.withLock { $0.tokens.count } }
  public var isPreempted: Bool { state.withLock { $0.isPreempted } }

  /// Where each block's frame begins: block `i` holds tokens `i * blockTokenCount` on; plane `p` lies at
  /// `layout.planeOffset(p)`, its rows one after the other. Valid until the sequence is changed next; empty while it is
  /// preempted.
  public var unsafeFrames: [UnsafeRawPointer] {
    state.withLock { $0.frames }
  }

  /// Ends the sequence: its frames may be used by others at once. Full blocks stay as cache, in RAM while there is room
  /// and on disk while the quota allows. Ending twice is allowed.
  public func free() {
    state.withLock { state in
      guard !state.isFreed else { return }
      state.isFreed = true
      letGo(&state)
      pager.unprotect(state.keys)
      let wasPreempted = state.isPreempted
      pool.ledger.withLock { $0.count(running: wasPreempted ? 0 : -1, preempted: wasPreempted ? -1 : 0) }
      state.keys = []
      state.tokens = []
    }
  }

  /// Gives all frames back and takes them off the books.
  func letGo(_ state: inout State) {
    guard !state.isPreempted else { return }
    pool.ledger.withLock { ledger in
      for key in state.keys { ledger.release(key) }
      for tail in state.open { ledger.release(tail) }
      ledger.count(tokens: -state.tokens.count)
    }
    state.pins = []
    state.open = []
    state.frames = []
    state.newTokenCount = 0
    state.owed.clear()
  }

  func checkUsable(_ state: State) throws(StoreError) {
    try pool.space.store.checkWritable()
    precondition(!state.isFreed, "a sequence that was freed")
    precondition(!state.isPreempted, "a preempted sequence is resumed before it goes on")
  }
}
