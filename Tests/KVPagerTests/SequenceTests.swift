import Foundation
import KVPager
import KVSimulation
import Testing

extension Rig {
  /// Appends tokens to a sequence in flight and writes their rows.
  fileprivate func run(_ tokens: [Token], on sequence: RunningSequence) throws {
    try sequence.append(tokens)
    let states = rows.states(of: sequence.tokens)
    for plane in layout.planes.indices {
      sequence.withUnsafeNewRows(ofPlane: plane) { positions, bytes in
        rows.fill(bytes, plane: plane, states: states[positions])
      }
    }
  }

  /// Whether every row lies where the frames say, and is what the tokens say.
  fileprivate func isWhole(_ sequence: RunningSequence) -> Bool {
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
private func counted(_ sequences: [RunningSequence], blockTokenCount: Int) -> SequenceAccounting {
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

@Suite struct SequenceTests {
  /// KVPAGER_LONG=1 tries a hundred times as many.
  private static let seedCount = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 20 : 2000

  @Test func `whatever sequences do, the books add up and every row is right`() throws {
    for seed in 0..<Self.seedCount {
      var random = SplitMix64(seed: UInt64(seed))
      func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
      let rig = try Rig(blockTokenCount: [1, 4, 8][seed % 3], rowByteCount: 16, layerCount: 1)
      let store = try rig.open(blocks: 24)
      let space = try rig.space(store)
      let pool = SequencePool(space)
      var sequences: [RunningSequence] = []
      for step in 0..<120 {
        do {
          switch draw(10) {
          case 0, 1:
            // Prompts begin alike: what one has computed, the next finds.
            let prompt = tokens(0..<4 * draw(5)) + tokens(100 * step..<100 * step + draw(6))
            let sequence = try pool.start(from: space.longestPrefix(of: prompt))
            sequences.append(sequence)
            try rig.run(Array(prompt[sequence.tokenCount...]), on: sequence)
          case 2, 3, 4:
            guard let sequence = sequences.filter({ !$0.isPreempted }).randomElement(using: &random) else { continue }
            try rig.run([Token(draw(3))], on: sequence)
          case 5:
            guard let sequence = sequences.filter({ !$0.isPreempted }).randomElement(using: &random) else { continue }
            try rig.run((0..<draw(20)).map { _ in Token(draw(3)) }, on: sequence)
          case 6:
            guard let sequence = sequences.filter({ !$0.isPreempted }).randomElement(using: &random) else { continue }
            sequences.append(try sequence.fork())
          case 7:
            guard let sequence = sequences.filter({ !$0.isPreempted }).randomElement(using: &random) else { continue }
            try sequence.preempt()
          case 8:
            guard let sequence = sequences.filter(\.isPreempted).randomElement(using: &random) else { continue }
            try sequence.resume()
          default:
            guard !sequences.isEmpty else { continue }
            sequences.remove(at: draw(sequences.count)).free()
          }
        } catch let error as StoreError where error.code == .poolExhausted {
          // The engine's answer: one of them gives way.
          if !sequences.isEmpty { sequences.remove(at: draw(sequences.count)).free() }
        }
        let wanted = counted(sequences, blockTokenCount: rig.layout.blockTokenCount)
        #expect(pool.accounting == wanted, "seed \(seed), step \(step)")
        #expect(
          wanted.wastedTokenCount <= wanted.runningCount * (rig.layout.blockTokenCount - 1),
          "only last blocks have room left")
      }
      for sequence in sequences where !sequence.isPreempted { #expect(rig.isWhole(sequence), "seed \(seed)") }
      for sequence in sequences { sequence.free() }
      #expect(pool.accounting == SequenceAccounting())
      #expect(store.memoryStatistics.pinnedFrameCount == 0)
      try store.close()
    }
  }

  @Test func `forks share all blocks, and copy the last one when they go on`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 16)
    let pool = SequencePool(try rig.space(store))
    let trunk = try pool.start()
    try rig.run(tokens(0..<21), on: trunk)
    #expect(pool.accounting.frameCount == 3)
    let beams = try (0..<4).map { _ in try trunk.fork() }
    #expect(pool.accounting.frameCount == 3)
    #expect(pool.accounting.sharedTokenCount == 4 * 21)
    for (index, beam) in beams.enumerated() {
      try rig.run([Token(1000 + index)], on: beam)
      #expect(pool.accounting.frameCount == 4 + index)
      #expect(beam.unsafeFrames[..<2] == trunk.unsafeFrames[..<2])
    }
    // The last to go on has the frame to itself: nothing is copied.
    let tail = trunk.unsafeFrames[2]
    try rig.run([2000], on: trunk)
    #expect(trunk.unsafeFrames[2] == tail)
    #expect(pool.accounting.frameCount == 7)
    #expect(pool.accounting.wastedTokenCount == 5 * 2)
    for sequence in beams + [trunk] { #expect(rig.isWhole(sequence)) }
    for beam in beams { beam.free() }
    #expect(pool.accounting.frameCount == 3)
    trunk.free()
    try store.close()
  }

  @Test func `a preempted sequence leaves RAM to others and comes back from disk whole`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 8)
    let pool = SequencePool(try rig.space(store))
    let first = try pool.start()
    try rig.run(tokens(0..<37), on: first)
    let second = try pool.start()
    #expect(throws: StoreError.self) { try rig.run(tokens(500..<537), on: second) }
    #expect(second.tokenCount == 0 && pool.accounting.frameCount == 5)
    try first.preempt()
    #expect(pool.accounting.frameCount == 0 && first.unsafeFrames.isEmpty)
    try rig.run(tokens(500..<537), on: second)
    let refusal = #expect(throws: StoreError.self) { try first.resume() }
    #expect(refusal?.code == .poolExhausted && first.isPreempted)
    second.free()
    try first.resume()
    #expect(rig.isWhole(first))
    #expect(store.memoryStatistics.diskHitCount > 0)
    try rig.run(tokens(37..<50), on: first)
    #expect(rig.isWhole(first))
    first.free()
    try store.close()
  }

  @Test func `what a sequence computed is found by the next one, in the same frames`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 16)
    let space = try rig.space(store)
    let pool = SequencePool(space)
    let first = try pool.start()
    try rig.run(tokens(0..<20), on: first)
    try rig.run([20], on: first)
    let second = try pool.start(from: space.longestPrefix(of: tokens(0..<30)))
    #expect(second.tokenCount == 16)
    #expect(second.unsafeFrames == Array(first.unsafeFrames[..<2]))
    first.free()
    #expect(rig.isWhole(second))
    // A block that the store has already is taken from there.
    let third = try pool.start()
    try rig.run(tokens(0..<9), on: third)
    try rig.run([9], on: third)
    #expect(third.unsafeFrames[0] == second.unsafeFrames[0])
    #expect(pool.accounting.frameCount == 3)
    second.free()
    third.free()
    try store.close()
  }

  @Test func `a sequence that is let go of gives its frames back`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 4)
    let pool = SequencePool(try rig.space(store))
    for round in 0..<5 {
      let sequence = try pool.start()
      try rig.run(tokens(100 * round..<100 * round + 30), on: sequence)
    }
    #expect(pool.accounting == SequenceAccounting())
    try store.close()
  }
}
