import KVBlocks
import KVMemoryTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Rows read without keeping a frame for them.
extension Pager {
  struct HeldFrame: Sendable {
    let frame: FrameIndex
    let memory: FrameMemory
    let tokenCount: Int
  }

  enum Whereabouts: Sendable {
    case memory(HeldFrame)
    case disk
    case nowhere
  }

  /// Keeps a resident block in its frame for a moment. Blocks being loaded are read from disk, as if they were not
  /// there.
  private func holdResident(_ key: BlockKey) throws(StoreError) -> Whereabouts {
    try core.state.withLock { state throws(StoreError) -> Whereabouts in
      try state.checkOpen()
      if let frame = state.pool.findReadable(key) {
        state.pool.hold(frame)
        state.pool.use(frame)
        return .memory(
          HeldFrame(frame: frame, memory: state.pool.memory(of: frame), tokenCount: Int(state.pool[frame].tokenCount)))
      }
      return state.damagedKeys.contains(key) ? .nowhere : .disk
    }
  }

  private func letGo(_ held: HeldFrame) {
    core.state.withLock { $0.pool.unhold(held.frame) }
    core.progress.advance()
  }

  /// Copies `rows` of one plane of a block into `destination`, which has just their bytes: from its frame, else
  /// straight from disk without taking one. False: a miss.
  ///
  /// - Throws: `invalidArgument` for rows that the block does not have.
  package func readPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> Bool {
    defer { core.noteActivity() }
    let block = BlockRows(key: key, rows: rows, firstRow: 0)
    switch try readResident(block, layout, [PlaneDestination(plane: plane, bytes: destination)]) {
    case .memory: return true
    case .disk: return try readPlaneFromDisk(key, layout, plane, rows, destination)
    case .nowhere: return false
    }
  }

  /// Copies a block's rows to their places where the block is in RAM, and else tells where to look for it.
  func readResident(
    _ block: BlockRows, _ layout: BlockLayout, _ destinations: [PlaneDestination]
  ) throws(StoreError) -> Whereabouts {
    let whereabouts = try holdResident(block.key)
    switch whereabouts {
    case .memory(let held):
      defer { letGo(held) }
      guard block.rows.upperBound <= held.tokenCount else {
        throw .invalidArgument("rows up to \(block.rows.upperBound) of a block of \(held.tokenCount) tokens")
      }
      for destination in destinations {
        let range = layout.byteRange(ofPlane: destination.plane, rows: block.rows)
        destination.part(for: block, rowByteCount: layout.planes[destination.plane].rowByteCount)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: held.memory.bytes[range]))
      }
      core.state.withLock { $0.counters.memoryHits += 1 }
    case .disk: break
    case .nowhere: core.state.withLock { $0.counters.misses += 1 }
    }
    return whereabouts
  }

  private func readPlaneFromDisk(
    _ key: BlockKey, _ layout: BlockLayout, _ plane: Int, _ rows: Range<Int>,
    _ destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> Bool {
    let outcome = try core.cold.loadPlane(key, layout: layout, plane: plane, rows: rows, into: destination)
    return core.state.withLock { $0.notePlaneReads(1, of: key, outcome) }
  }

  // MARK: Comparing

  private static let scratchByteCount = 1 << 20

  /// Whether a block's rows equal the first `tokenCount` rows in `frame`; nil where the block is not available.
  ///
  /// A stored block is read in pieces of about a MiB, so that it costs neither a frame nor memory of its size.
  package func contentEquals(
    _ key: BlockKey, layout: BlockLayout, tokenCount: Int, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> Bool? {
    precondition(frame.count == layout.frameByteCount, "a frame of the layout")
    precondition((1...layout.blockTokenCount).contains(tokenCount), "a block holds 1 token or more")
    switch try holdResident(key) {
    case .nowhere:
      return nil
    case .memory(let held):
      defer { letGo(held) }
      guard held.tokenCount == tokenCount else { return false }
      for plane in layout.planes.indices {
        let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
        if !Self.equal(frame, held.memory.bytes, range) { return false }
      }
      return true
    case .disk:
      return try storedContentEquals(key, layout, tokenCount, frame)
    }
  }

  private static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeMutableRawBufferPointer, _ range: Range<Int>)
    -> Bool
  {
    guard let x = a.baseAddress, let y = b.baseAddress else { return range.isEmpty }
    return memcmp(x + range.lowerBound, y + range.lowerBound, range.count) == 0
  }

  private func storedContentEquals(
    _ key: BlockKey, _ layout: BlockLayout, _ tokenCount: Int, _ frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> Bool? {
    let largestRow = layout.planes.reduce(1) { max($0, $1.rowByteCount) }
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(max(largestRow, Self.scratchByteCount), largestRow * tokenCount), alignment: 64)
    defer { scratch.deallocate() }
    for plane in layout.planes.indices {
      let rowsPerStep = max(1, scratch.count / layout.planes[plane].rowByteCount)
      var row = 0
      while row < tokenCount {
        let rows = row..<min(row + rowsPerStep, tokenCount)
        let range = layout.byteRange(ofPlane: plane, rows: rows)
        let piece = UnsafeMutableRawBufferPointer(rebasing: scratch[..<range.count])
        guard try readPlaneFromDisk(key, layout, plane, rows, piece) else { return nil }
        guard let x = frame.baseAddress, let y = piece.baseAddress else { return nil }
        if memcmp(x + range.lowerBound, y, range.count) != 0 { return false }
        row = rows.upperBound
      }
    }
    return true
  }

  // MARK: Prefetching

  /// Loads blocks in the background, as far as free and evictable frames go. Never waits and never fails.
  package func prefetch(_ keys: [BlockKey], layout: BlockLayout) {
    guard core.loadPool.hasThreads else { return }
    let tasks = core.state.withLock { $0.planPrefetch(keys, layout) }
    guard !tasks.isEmpty else { return }
    core.loadPool.submit(tasks.count) { [core] index in core.loadOne(tasks[index], layout: layout) }
  }
}

extension PagerState {
  /// Counts what became of a read of `count` planes past the frames; false for a miss.
  mutating func notePlaneReads(_ count: Int, of key: BlockKey, _ outcome: LoadOutcome) -> Bool {
    switch outcome {
    case .loaded:
      counters.planeReads += UInt64(count)
      return true
    case .damaged:
      noteDamage(key)
      counters.misses += 1
    case .absent:
      counters.misses += 1
    }
    return false
  }

  mutating func planPrefetch(_ keys: [BlockKey], _ layout: BlockLayout) -> [LoadTask] {
    guard refusal == nil else { return [] }
    var held: [FrameIndex] = []
    var tasks: [LoadTask] = []
    for key in keys {
      if let frame = pool.find(key) {
        // What is wanted soon must not make room for what is wanted later.
        pool.hold(frame)
        held.append(frame)
      } else if damagedKeys.contains(key) || condemned.contains(key) {
        break
      } else if let frame = reserve(byteCount: layout.frameByteCount) {
        pool.beginLoad(frame, key: key, layout: layout)
        tasks.append(LoadTask(key: key, frame: frame, memory: pool.memory(of: frame)))
      } else {
        break
      }
    }
    for frame in held.reversed() {
      pool.use(frame)
      pool.unhold(frame)
    }
    counters.prefetches += UInt64(tasks.count)
    return tasks
  }
}
