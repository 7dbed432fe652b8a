import KVBlocks

/// One plane's rows of many blocks, read without keeping frames for them.
extension Pager {
  /// What one thread decodes at a time: enough that a transaction and a thread's turn cost little beside it.
  private static let gatherStepByteCount = 128 << 10
  /// Steps that a gather is cut into at least, where it has so many blocks on disk.
  private static let gatherStepCount = 8

  /// Copies rows of one plane of several blocks to their places: those in RAM at once, then those on disk, decoded by
  /// this thread and the pool's. Returns how many pieces, from the first on, could be had.
  package func readPlane(
    _ plane: Int, layout: BlockLayout, of pieces: [PlaneRows]
  ) throws(StoreError) -> Int {
    var end = 0
    var onDisk: [Int] = []
    pieces: for (index, piece) in pieces.enumerated() {
      switch try readResidentPlane(piece, layout, plane) {
      case .memory: break
      case .disk: onDisk.append(index)
      case .nowhere: break pieces
      }
      end = index + 1
    }
    guard !onDisk.isEmpty else { return end }
    let missed = try gatherFromDisk(plane, layout, onDisk.map { pieces[$0] })
    return missed.map { onDisk[$0] } ?? end
  }

  /// The first of `pieces` that could not be had; nil where all were read.
  private func gatherFromDisk(
    _ plane: Int, _ layout: BlockLayout, _ pieces: [PlaneRows]
  ) throws(StoreError) -> Int? {
    let byteCount = pieces.reduce(0) { $0 + $1.destination.count }
    let stepCount = min(pieces.count, max(Self.gatherStepCount, byteCount / Self.gatherStepByteCount))
    let perStep = (pieces.count + stepCount - 1) / stepCount
    let firsts = Array(stride(from: 0, to: pieces.count, by: perStep))
    let misses = SharedResults<Result<Int?, StoreError>>(count: firsts.count)
    core.loadPool.run(firsts.count) { step in
      let range = firsts[step]..<min(firsts[step] + perStep, pieces.count)
      do throws(StoreError) {
        misses.set(step, .success(try self.readStep(plane, layout, pieces[range])))
      } catch {
        misses.set(step, .failure(error))
      }
    }
    for case let miss? in misses.take() {
      if let index = try miss.get() { return index }
    }
    return nil
  }

  private func readStep(
    _ plane: Int, _ layout: BlockLayout, _ pieces: ArraySlice<PlaneRows>
  ) throws(StoreError) -> Int? {
    let outcomes = try core.cold.loadPlane(plane, layout: layout, of: pieces)
    return core.state.withLock { state in
      for (index, outcome) in zip(pieces.indices, outcomes) {
        guard state.notePlaneRead(pieces[index].key, outcome) else { return index }
      }
      return nil
    }
  }
}
