import KVDiskTier
import KVPager
import KVSimulation
import KVTiering
import Testing

extension Rig {
  /// Appends tokens to a sequence in flight and writes their rows.
  func run(_ tokens: [Token], on sequence: RunningSequence) throws {
    try sequence.append(tokens)
    let states = rows.states(of: sequence.tokens)
    for plane in layout.planes.indices {
      sequence.withUnsafeNewRows(ofPlane: plane) { positions, bytes in
        rows.fill(bytes, plane: plane, states: states[positions])
      }
    }
  }

  /// Whether every row lies where the frames say, and is what the tokens say.
  func isWhole(_ sequence: RunningSequence) -> Bool {
    let states = rows.states(of: sequence.tokens)
    let frames = sequence.unsafeFrames
    for (index, start) in stride(from: 0, to: states.count, by: layout.blockTokenCount).enumerated() {
      let part = states[start..<min(start + layout.blockTokenCount, states.count)]
      for plane in layout.planes.indices {
        let bytes = UnsafeRawBufferPointer(
          start: frames[index] + layout.planeOffset(plane), count: part.count * layout.planes[plane].rowByteCount)
        guard rows.matches(bytes, plane: plane, states: part) else { return false }
      }
    }
    return frames.count == (states.count + layout.blockTokenCount - 1) / layout.blockTokenCount
  }
}

/// The books, kept again from what the sequences show.
func counted(_ sequences: [RunningSequence], blockTokenCount: Int) -> SequenceAccounting {
  var accounting = SequenceAccounting()
  var used: [UnsafeRawPointer: Int] = [:]
  for sequence in sequences {
    if sequence.isPreempted {
      accounting.preemptedCount += 1
      continue
    }
    accounting.runningCount += 1
    accounting.sequenceTokenCount += sequence.tokenCount
    for (index, frame) in sequence.unsafeFrames.enumerated() {
      let rows = min(blockTokenCount, sequence.tokenCount - index * blockTokenCount)
      used[frame] = max(used[frame] ?? 0, rows)
    }
  }
  accounting.frameCount = used.count
  accounting.reservedTokenCount = used.count * blockTokenCount
  accounting.usedTokenCount = used.values.reduce(0, +)
  return accounting
}

extension Rig {
  /// A store whose disk fails as told.
  func openFaulty(
    blocks: Int, seed: UInt64 = 0, faults: FaultyColdTier.Faults = .init()
  ) throws -> (Store, FaultyColdTier) {
    var made: FaultyColdTier?
    let store = try open(blocks: blocks) { disk in
      let faulty = FaultyColdTier(disk, seed: seed, faults: faults)
      made = faulty
      return faulty
    }
    return (store, try #require(made))
  }

  /// Leaves the full blocks of `tokens` on disk, in a store that is closed.
  func leaveOnDisk(_ tokens: [Token]) throws {
    let store = try open(blocks: 64)
    let sequence = try SequencePool(try space(store)).start()
    try run(tokens, on: sequence)
    try run([], on: sequence)
    sequence.free()
    try store.close()
  }

  /// The full blocks that `tokens` make.
  func keys(_ tokens: [Token], in space: CacheSpace) -> [BlockKey] {
    ChainHash.hashes(ofFullBlocksIn: tokens, blockTokenCount: layout.blockTokenCount, root: space.root)
      .map { BlockKey(space: space.id, hash: $0) }
  }
}
