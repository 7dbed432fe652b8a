import Foundation
import KVPager
import KVSimulation
import Testing

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

  @Test func `a fork that goes on with nothing copies nothing`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 16)
    let pool = SequencePool(try rig.space(store))
    let trunk = try pool.start()
    try rig.run(tokens(0..<21), on: trunk)
    let beam = try trunk.fork()
    try rig.run([], on: beam)
    #expect(beam.unsafeFrames == trunk.unsafeFrames && pool.accounting.frameCount == 3)
    try rig.run([1000], on: beam)
    #expect(rig.isWhole(beam) && rig.isWhole(trunk) && pool.accounting.frameCount == 4)
    beam.free()
    trunk.free()
    try store.close()
  }

  @Test func `what does not fit makes nothing leave RAM`() throws {
    let rig = try Rig(blockTokenCount: 8)
    let store = try rig.open(blocks: 10)
    let pool = SequencePool(try rig.space(store))
    let past = try pool.start()
    try rig.run(tokens(0..<40), on: past)
    try rig.run([], on: past)
    past.free()
    try store.writeBack()
    let running = try pool.start()
    try rig.run(tokens(500..<540), on: running)
    // Five frames are in use, five hold what may leave, and six are wanted.
    let refused = try pool.start()
    let error = #expect(throws: StoreError.self) { try rig.run(tokens(900..<948), on: refused) }
    #expect(error?.code == .poolExhausted && refused.tokenCount == 0)
    #expect(store.memoryStatistics.evictionCount == 0)
    #expect(try pool.space.longestPrefix(of: tokens(0..<40)).memoryBlockCount == 5)
    try rig.run(tokens(900..<940), on: refused)
    #expect(store.memoryStatistics.evictionCount == 5 && rig.isWhole(refused))
    refused.free()
    running.free()
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
