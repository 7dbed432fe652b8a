import KVBlocks
import KVMemoryTier

/// The way out: blocks pinned in RAM, the missing ones loaded in parallel.
extension Pager {
  enum PinPlan: Sendable {
    /// The first `count` keys are pinned; `loads` of them have to be loaded by this caller, others may be loading
    /// elsewhere.
    case pinned(count: Int, loads: [LoadTask], waitsForOthers: Bool)
    case room(PagerState.RoomPlan)
  }

  /// Pins a chain's blocks, root first: all their frames are reserved at once or none, then what is missing is loaded.
  ///
  /// The result covers the unbroken run from the first key on that could be had: a block that is not stored, or
  /// damaged, ends it and is a counted miss. A block that somebody else is loading is waited for, not loaded again.
  ///
  /// - Throws: `poolExhausted` where the frames do not fit beside those in use, with nothing pinned; a load's error.
  package func pin(_ keys: [BlockKey], layout: BlockLayout) throws(StoreError) -> PinnedBlocks {
    let entries = PinnedEntries(count: keys.count)
    var pinnedCount = 0
    do {
      var waitsForOthers = false
      let tasks = try reserveAndPin(keys, layout, entries, &pinnedCount, &waitsForOthers)
      if !tasks.isEmpty { core.load(tasks, layout: layout) }
      let count = try settle(keys, entries, pinnedCount, loadCount: tasks.count, waitsForOthers: waitsForOthers)
      core.noteActivity()
      return PinnedBlocks(pager: self, entries: entries, count: count)
    } catch {
      entries.deallocate()
      throw error
    }
  }

  private func reserveAndPin(
    _ keys: [BlockKey], _ layout: BlockLayout, _ entries: PinnedEntries,
    _ pinnedCount: inout Int, _ waitsForOthers: inout Bool
  ) throws(StoreError) -> [LoadTask] {
    while true {
      let ticket = core.progress.ticket
      let plan = try core.state.withLock { state throws(StoreError) -> PinPlan in
        try state.checkOpen()
        // A load from before the deletion would end after it.
        if !state.condemned.isEmpty, keys.contains(where: state.condemned.contains) { return .room(.wait) }
        return state.planPin(keys, layout, entries)
      }
      switch plan {
      case .pinned(let count, let loads, let waits):
        pinnedCount = count
        waitsForOthers = waits
        return loads
      case .room(let room):
        try core.carryOut(room, ticket: ticket)
      }
    }
  }

  /// Waits for loads under way elsewhere, then keeps the pins of the unbroken run and gives the others back.
  private func settle(
    _ keys: [BlockKey], _ entries: PinnedEntries, _ pinnedCount: Int, loadCount: Int,
    waitsForOthers: Bool
  ) throws(StoreError) -> Int {
    // All was resident and the entries are complete: nothing to look at again.
    if loadCount == 0, !waitsForOthers { return pinnedCount }
    while true {
      let ticket = core.progress.ticket
      let settled = try core.state.withLock { state throws(StoreError) -> Int? in
        try state.settlePins(keys, entries, pinnedCount)
      }
      if let settled {
        if settled < pinnedCount { core.progress.advance() }
        return settled
      }
      core.progress.wait(past: ticket)
    }
  }

  func unpin(_ entries: PinnedEntries, count: Int) {
    let ringsBell = core.state.withLock { state in
      // Deepest first, so that a chain's root is the youngest.
      for index in (0..<count).reversed() { state.pool.unpin(entries[index].frame) }
      return state.wantsTouchesFlushed
    }
    if ringsBell { core.writerBell.advance() }
    core.progress.advance()
    core.noteActivity()
  }
}

extension PagerState {
  /// Pins what is in the table, then reserves frames for the rest; undoes it all where they do not fit.
  mutating func planPin(
    _ keys: [BlockKey], _ layout: BlockLayout, _ entries: PinnedEntries
  ) -> Pager.PinPlan {
    var count = keys.count
    var missing: Set<BlockKey> = []
    var joined = 0
    var memoryHits = 0
    let pinnedBefore = pool.pinnedCount
    for (index, key) in keys.enumerated() {
      if let frame = pool.find(key) {
        pool.pin(frame)
        if fill(&entries[index], frame) { memoryHits += 1 } else { joined += 1 }
      } else if !damagedKeys.isEmpty, damagedKeys.contains(key) {
        count = index
        break
      } else {
        missing.insert(key)
        entries[index] = .empty
      }
    }
    guard pool.canReserve(byteCount: layout.frameByteCount, count: missing.count) else {
      // Planned with this call's own pins still there: what it keeps makes no room for what it lacks.
      let room = planRoom(
        neededBytes: Self.bytes(missing.count, layout), askedBytes: Self.bytes(count, layout), pinnedCount: pinnedBefore
      )
      release(entries, 0..<count)
      return .room(room)
    }
    var loads: [LoadTask] = []
    if !missing.isEmpty {
      loads.reserveCapacity(missing.count)
      for index in 0..<count where entries[index].frame == PinnedEntry.none {
        let key = keys[index]
        if let frame = pool.find(key) {
          pool.pin(frame)
          entries[index].frame = frame
        } else if let frame = reserve(byteCount: layout.frameByteCount) {
          pool.beginLoad(frame, key: key, layout: layout)
          pool.pin(frame)
          entries[index].frame = frame
          loads.append(LoadTask(key: key, frame: frame, memory: pool.memory(of: frame)))
        } else {
          // The system has no memory although the budget allows it.
          for load in loads { pool.failLoad(load.frame) }
          let room = planRoom(neededBytes: layout.frameByteCount)
          release(entries, 0..<count)
          return .room(room)
        }
      }
    }
    counters.memoryHits += UInt64(memoryHits)
    counters.loadsJoined += UInt64(joined)
    counters.misses += count < keys.count ? 1 : 0
    noteUses(keys, entries, count)
    return .pinned(count: count, loads: loads, waitsForOthers: joined > 0)
  }

  static func bytes(_ count: Int, _ layout: BlockLayout) -> Int {
    let (bytes, overflow) = layout.frameByteCount.multipliedReportingOverflow(by: count)
    return overflow ? .max : bytes
  }

  /// Completes an entry from a frame that can be read; false where it is still loading.
  func fill(_ entry: inout PinnedEntry, _ frame: FrameIndex) -> Bool {
    let slot = pool[frame]
    guard slot.isReadable else {
      entry = .empty
      entry.frame = frame
      return false
    }
    entry = PinnedEntry(
      base: UnsafeRawPointer(pool.memory(of: frame).base), byteCount: slot.byteCount, frame: frame,
      tokenCount: slot.tokenCount)
    return true
  }

  private mutating func release(_ entries: PinnedEntries, _ range: Range<Int>) {
    for index in range.reversed() where entries[index].frame != PinnedEntry.none {
      pool.unpin(entries[index].frame)
      entries[index] = .empty
    }
  }

  /// Tells the disk tier of the use, as ``touch(_:in:usesFrames:)`` does; in RAM the pins themselves keep the order.
  private mutating func noteUses(_ keys: [BlockKey], _ entries: PinnedEntries, _ count: Int) {
    guard count > 0 else { return }
    let base = touches.stampBase(chainCount: count)
    var isDue = false
    for index in (0..<count).reversed() {
      let frame = entries[index].frame
      let stamp = base - UInt64(index)
      isDue = isDue || stamp > pool[frame].lastUse &+ configuration.touchIntervalMicroseconds
      guard isDue else { continue }
      let isLoading = pool[frame].lastUse == 0
      pool[frame].lastUse = stamp
      if isLoading || pool[frame].isStored { touches.append(keys[index], lastUse: stamp) }
    }
  }

  /// Nil while a block is still loading elsewhere. Else the length of the run; pins beyond it are given back.
  mutating func settlePins(
    _ keys: [BlockKey], _ entries: PinnedEntries, _ count: Int
  ) throws(StoreError) -> Int? {
    for index in 0..<count where pool[entries[index].frame].state == .loading { return nil }
    var run = 0
    while run < count {
      let wasResident = entries[run].base != nil
      guard fill(&entries[run], entries[run].frame) else { break }
      if !wasResident { counters.diskHits += 1 }
      run += 1
    }
    guard run < count else { return run }
    let failure = loadFailures[entries[run].frame]
    if failure == nil {
      counters.misses += 1
      release(entries, run..<count)
      return run
    }
    release(entries, 0..<count)
    if let failure { throw failure }
    return 0
  }
}
