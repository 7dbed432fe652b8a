import Dispatch
import Foundation
import KVBlocks
import KVSimulation
import Testing

@testable import KVPager

/// Sequences whose blocks are on a disk that fails.
@Suite struct SequenceFaultTests {
  @Test(arguments: [64, 9, 8])
  func `a block that turns out damaged on disk is made of the rows that were computed again`(frameCount: Int) throws {
    let rig = try Rig(blockTokenCount: 8)
    try rig.leaveOnDisk(tokens(0..<64))
    let (store, faulty) = try rig.openFaulty(blocks: frameCount)
    let pool = SequencePool(try rig.space(store))
    faulty.damage([rig.keys(tokens(0..<64), in: pool.space)[3]])
    let sequence = try pool.start()
    try rig.run(tokens(0..<64), on: sequence)
    try rig.run([], on: sequence)
    #expect(sequence.tokens == tokens(0..<64) && rig.isWhole(sequence))
    #expect(pool.accounting == counted([sequence], blockTokenCount: 8))
    let statistics = store.memoryStatistics
    #expect(statistics.damagedBlockCount == 1 && statistics.missCount == 1 && statistics.sharedBlockCount == 7)
    #expect(statistics.pinnedFrameCount == 8 && statistics.frameCount <= frameCount)
    try store.writeBack()
    #expect(faulty.damagedKeys.isEmpty, "what is whole takes its place")
    try sequence.preempt()
    try sequence.resume()
    #expect(rig.isWhole(sequence))
    sequence.free()
    try store.close()
  }

  @Test(arguments: [64, 8])
  func `a disk that cannot be read leaves the sequence whole, to be tried again`(frameCount: Int) throws {
    let rig = try Rig(blockTokenCount: 8)
    try rig.leaveOnDisk(tokens(0..<64))
    let (store, faulty) = try rig.openFaulty(blocks: frameCount)
    let pool = SequencePool(try rig.space(store))
    let sequence = try pool.start()
    try rig.run(tokens(0..<64), on: sequence)
    let changes: [() throws -> Void] = [
      { try sequence.append([64]) }, { _ = try sequence.fork() }, { try sequence.preempt() },
    ]
    for change in changes {
      faulty.failLoads(with: [StoreError(.inputOutput, "the disk is gone")])
      let error = #expect(throws: StoreError.self) { try change() }
      #expect(error?.code == .inputOutput)
      #expect(sequence.tokens == tokens(0..<64) && !sequence.isPreempted && rig.isWhole(sequence))
      #expect(pool.accounting == counted([sequence], blockTokenCount: 8))
    }
    try sequence.preempt()
    try sequence.resume()
    #expect(rig.isWhole(sequence) && store.memoryStatistics.sharedBlockCount == 8)
    sequence.free()
    try store.close()
  }

  @Test(arguments: [64, 8])
  func `the rows that the store has stand for equal tokens' own, whether there is a frame for them or not`(
    frameCount: Int
  ) throws {
    let rig = try Rig(blockTokenCount: 8)
    try rig.leaveOnDisk(tokens(0..<64))
    let store = try rig.open(blocks: frameCount)
    let pool = SequencePool(try rig.space(store))
    let sequence = try pool.start()
    try sequence.append(tokens(0..<64))
    // An engine whose low bits come out otherwise.
    for plane in rig.layout.planes.indices {
      sequence.withUnsafeNewRows(ofPlane: plane) { _, rows in
        _ = rows.initializeMemory(as: UInt8.self, repeating: 1)
      }
    }
    #expect(!rig.isWhole(sequence))
    try rig.run([], on: sequence)
    #expect(rig.isWhole(sequence) && pool.accounting == counted([sequence], blockTokenCount: 8))
    sequence.free()
    try store.close()
  }

  @Test(arguments: [0, 2, 4])
  func `a sequence that lost a block on disk says so when it is to come back, and stays away`(block: Int) throws {
    let rig = try Rig(blockTokenCount: 8)
    let (store, faulty) = try rig.openFaulty(blocks: 8)
    let pool = SequencePool(try rig.space(store))
    let first = try pool.start()
    try rig.run(tokens(0..<37), on: first)
    try first.preempt()
    let second = try pool.start()
    try rig.run(tokens(500..<564), on: second)
    second.free()
    let full = rig.keys(tokens(0..<37), in: pool.space)
    let tail = BlockDescriptor(space: pool.space.id, parent: full[3].hash, tokens: tokens(32..<37))
    faulty.damage([(full + [tail.key])[block]])
    for _ in 0..<2 {
      let error = #expect(throws: StoreError.self) { try first.resume() }
      #expect(error?.code == .blockLost && error?.message.contains("from token \(8 * block) of 37") == true)
      #expect(first.isPreempted && first.tokenCount == 37)
      #expect(pool.accounting == counted([first], blockTokenCount: 8))
    }
    first.free()
    #expect(pool.accounting == SequenceAccounting() && store.memoryStatistics.pinnedFrameCount == 0)
    try store.close()
  }

  /// One thread's sequences.
  private struct Server {
    let rig: Rig
    let pool: SequencePool
    var random: SplitMix64
    var sequences: [RunningSequence] = []
    var findings: [String] = []

    mutating func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    mutating func run(_ stepCount: Int) {
      for step in 0..<stepCount {
        do {
          try self.step(step)
        } catch let error as StoreError where [.poolExhausted, .inputOutput, .blockLost].contains(error.code) {
          if !sequences.isEmpty { sequences.remove(at: draw(sequences.count)).free() }
        } catch {
          findings.append("step \(step): \(error)")
        }
        for sequence in sequences where !sequence.isPreempted && !rig.isWhole(sequence) {
          findings.append("step \(step): a row is wrong")
        }
      }
      for sequence in sequences { sequence.free() }
    }

    private mutating func step(_ step: Int) throws {
      if sequences.isEmpty || draw(6) == 0 {
        // All threads' prompts begin alike.
        let prompt = tokens(0..<draw(24)) + (0..<draw(4)).map { _ in Token(draw(2)) }
        let sequence =
          draw(2) == 0 ? try pool.start() : try pool.start(from: pool.space.longestPrefix(of: prompt))
        sequences.append(sequence)
        return try rig.run(Array(prompt[sequence.tokenCount...]), on: sequence)
      }
      let sequence = sequences[draw(sequences.count)]
      if sequence.isPreempted { return try sequence.resume() }
      switch draw(6) {
      case 0: sequences.append(try sequence.fork())
      case 1: try sequence.preempt()
      default: try rig.run((0..<draw(6)).map { _ in Token(draw(2)) }, on: sequence)
      }
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func `threads whose sequences do not all fit, on a disk that fails, lose no row and no frame`(seed: UInt64) throws {
    let rig = try Rig(blockTokenCount: 4, rowByteCount: 16, layerCount: 1)
    var faults = FaultyColdTier.Faults()
    faults.delayMicroseconds = 50
    if seed % 2 == 1 {
      faults.loadFailureShare = 0.05
      faults.damageShare = 0.05
    }
    let (store, _) = try rig.openFaulty(blocks: 12, seed: seed, faults: faults)
    let pool = SequencePool(try rig.space(store))
    let findings = Lock<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { number in
      var server = Server(rig: rig, pool: pool, random: SplitMix64(seed: seed * 10 + UInt64(number)))
      server.run(200)
      let found = server.findings
      findings.withLock { $0 += found }
    }
    #expect(findings.withLock { $0 }.isEmpty, "seed \(seed)")
    #expect(pool.accounting == SequenceAccounting())
    #expect(store.memoryStatistics.pinnedFrameCount == 0)
    store.pager.assertInvariants()
    try store.close()
  }
}

/// What no engine may do.
@Suite struct SequenceMisuseTests {
  enum Misuse: String, Codable, CaseIterable {
    case appendFreed, forkFreed, preemptFreed, resumeFreed, resumeRunning, appendUnwritten, forkUnwritten
    case preemptUnwritten, preemptHalfWritten

    var words: String {
      switch self {
      case .appendFreed, .forkFreed, .preemptFreed, .resumeFreed: "a sequence that was freed"
      case .resumeRunning: "a sequence that was not preempted"
      default: "the rows of the last append are written before"
      }
    }
  }

  @Test(arguments: Misuse.allCases) func `misuse stops the process`(misuse: Misuse) async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      [misuse = misuse as Misuse] in
      let rig = try Rig()
      let store = try rig.open()
      let sequence = try SequencePool(try rig.space(store)).start()
      try rig.run(tokens(0..<20), on: sequence)
      switch misuse {
      case .appendFreed, .forkFreed, .preemptFreed: sequence.free()
      case .resumeFreed:
        try sequence.preempt()
        sequence.free()
      case .resumeRunning: break
      default: try sequence.append(tokens(20..<30))
      }
      switch misuse {
      case .appendFreed, .appendUnwritten: try sequence.append([1])
      case .forkFreed, .forkUnwritten: _ = try sequence.fork()
      case .resumeFreed, .resumeRunning: try sequence.resume()
      case .preemptHalfWritten:
        sequence.withUnsafeNewRows(ofPlane: 1) { _, _ in }
        try sequence.preempt()
      case .preemptFreed, .preemptUnwritten: try sequence.preempt()
      }
    }
    let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(said.contains(misuse.words), "\(said)")
  }

  @Test func `after fork() no sequence comes back`() async {
    await #expect(processExitsWith: .success) {
      let rig = try Rig()
      let store = try rig.open()
      let sequence = try SequencePool(try rig.space(store)).start()
      try rig.run(tokens(0..<30), on: sequence)
      try sequence.preempt()
      // Swift hides fork(); the child only asks the sequence and leaves.
      let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "fork")
      let fork = unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)
      let child = fork()
      if child == 0 {
        var code: StoreError.Code?
        do {
          try sequence.resume()
        } catch let error as StoreError {
          code = error.code
        } catch {}
        _exit(code == .forked ? 0 : 2)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      exit(status == 0 ? 0 : 1)
    }
  }

  @Test func `a closed store's sequence does not come back`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let sequence = try SequencePool(try rig.space(store)).start()
    try rig.run(tokens(0..<30), on: sequence)
    try sequence.preempt()
    try store.close()
    let error = #expect(throws: StoreError.self) { try sequence.resume() }
    #expect(error?.code == .closed)
  }
}
