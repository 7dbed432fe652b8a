import KVBlocks

/// Rows of many blocks, read without keeping frames for them.
extension Pager {
  /// What one thread copies or decodes at a time: enough that a transaction and a thread's turn cost little beside it.
  private static let gatherStepByteCount = 128 << 10
  /// Steps that a gather is cut into at least, where it has so many blocks.
  private static let gatherStepCount = 8

  /// Copies rows of several blocks, all planes asked for, to their places: those in RAM from their frames, the others
  /// decoded from disk, by this thread and the pool's. Returns how many blocks, from the first on, could be had.
  package func readRows(
    of blocks: [BlockRows], layout: BlockLayout, into destinations: [PlaneDestination]
  ) throws(StoreError) -> Int {
    guard !blocks.isEmpty, !destinations.isEmpty else { return blocks.count }
    let byteCount = destinations.reduce(0) { $0 + $1.bytes.count }
    let stepCount = min(blocks.count, max(Self.gatherStepCount, byteCount / Self.gatherStepByteCount))
    let perStep = (blocks.count + stepCount - 1) / stepCount
    let firsts = Array(stride(from: 0, to: blocks.count, by: perStep))
    let misses = SharedResults<Result<Int?, StoreError>>(count: firsts.count)
    core.loadPool.run(firsts.count) { step in
      let range = firsts[step]..<min(firsts[step] + perStep, blocks.count)
      do throws(StoreError) {
        misses.set(step, .success(try self.readStep(blocks[range], layout, destinations)))
      } catch {
        misses.set(step, .failure(error))
      }
    }
    core.noteActivity()
    for case let miss? in misses.take() {
      if let index = try miss.get() { return index }
    }
    return blocks.count
  }

  /// The first of `blocks` that could not be had; nil where all were read.
  private func readStep(
    _ blocks: ArraySlice<BlockRows>, _ layout: BlockLayout, _ destinations: [PlaneDestination]
  ) throws(StoreError) -> Int? {
    var first = blocks.startIndex
    while first < blocks.endIndex {
      switch try readResident(blocks[first], layout, destinations) {
      case .memory: first += 1
      case .nowhere: return first
      case .disk:
        // Neighbours on disk share a transaction.
        var end = first + 1
        while end < blocks.endIndex, !isReadable(blocks[end].key) { end += 1 }
        if let missing = try readFromDisk(blocks[first..<end], layout, destinations) { return missing }
        first = end
      }
    }
    return nil
  }

  private func isReadable(_ key: BlockKey) -> Bool { core.state.withLock { $0.pool.findReadable(key) != nil } }

  private func readFromDisk(
    _ blocks: ArraySlice<BlockRows>, _ layout: BlockLayout, _ destinations: [PlaneDestination]
  ) throws(StoreError) -> Int? {
    let outcomes = try core.cold.loadRows(of: blocks, layout: layout, into: destinations)
    return core.state.withLock { state in
      for (index, outcome) in zip(blocks.indices, outcomes) {
        guard state.notePlaneReads(destinations.count, of: blocks[index].key, outcome) else { return index }
      }
      return nil
    }
  }
}
