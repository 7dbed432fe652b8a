import KVBlocks
import KVSimulation
import KVTiering
import Testing

/// One thread's random work on a pager that others use too.
private struct Worker {
  let bench: Bench
  let chains: [[BlockDescriptor]]
  let number: Int
  var generator: SplitMix64
  var committed: [String: [BlockDescriptor]] = [:]
  var findings: [String] = []

  init(bench: Bench, chains: [[BlockDescriptor]], number: Int, seed: UInt64) {
    self.bench = bench
    self.chains = chains
    self.number = number
    generator = SplitMix64(seed: seed &* 1000 + UInt64(number))
  }

  /// What a sick disk, a small pool and a full quota may say.
  private static let expected: Set<StoreError.Code> = [.inputOutput, .poolExhausted, .blockLost, .quotaFull]

  mutating func run(_ steps: Int) {
    for step in 0..<steps {
      do throws(StoreError) {
        try self.step(step)
      } catch {
        if !Self.expected.contains(error.code) { findings.append("\(error.code): \(error)") }
      }
      if step % 64 == 0 { bench.pager.assertInvariants() }
    }
  }

  private mutating func step(_ step: Int) throws(StoreError) {
    let whole = chains[Int.random(in: 0..<chains.count, using: &generator)]
    let chain = Array(whole[..<Int.random(in: 1...whole.count, using: &generator)])
    switch Int.random(in: 0..<10, using: &generator) {
    case 0...1:
      try put(chain)
    case 2...4:
      if try bench.readBack(chain) < 0 { findings.append("a lease held wrong bytes") }
    case 5:
      let hashes = chain.map(\.key.hash)
      let count = try bench.pager.availablePrefix(of: hashes, in: Bench.space)
      if count.memoryBlockCount > count.blockCount { findings.append("more in RAM than there is") }
    case 6:
      bench.pager.prefetch(chain.map(\.key), layout: bench.layout)
    case 7:
      try readPlane(chain)
    case 8:
      try commit(chain, "\(number).\(step)")
    default:
      guard let name = committed.keys.sorted().first, committed.count > 2 else { return }
      _ = try bench.pager.commit(.delete(space: Bench.space, name: name), requiring: [])
      committed[name] = nil
    }
  }

  private func put(_ chain: [BlockDescriptor]) throws(StoreError) {
    let hashes = chain.map(\.key.hash)
    let known = try bench.pager.availablePrefix(of: hashes, in: Bench.space).blockCount
    for descriptor in chain[known...] { try bench.put(descriptor) }
  }

  private mutating func readPlane(_ chain: [BlockDescriptor]) throws(StoreError) {
    guard let last = chain.last else { return }
    var bytes = [UInt8](repeating: 0, count: 2 * 16)
    let result = bytes.withUnsafeMutableBytes { buffer -> Result<Bool, StoreError> in
      do throws(StoreError) {
        return .success(
          try bench.pager.readPlane(last.key, layout: bench.layout, plane: 1, rows: 0..<2, into: buffer))
      } catch { return .failure(error) }
    }
    let expected = (0..<2).flatMap { [UInt8](repeating: Bench.byte(last.key, 1, $0), count: 16) }
    if try result.get(), bytes != expected { findings.append("a plane held wrong bytes") }
  }

  private mutating func commit(_ chain: [BlockDescriptor], _ name: String) throws(StoreError) {
    let keys = chain.map(\.key)
    bench.pager.protect(keys)
    defer { bench.pager.unprotect(keys) }
    try put(chain)
    try bench.commit(name, chain)
    committed[name] = chain
  }
}

@Suite struct StressTests {
  private struct Setting: Sendable, CustomStringConvertible {
    var frames: Int
    var quotaBlocks: Int?
    var faults: FaultyColdTier.Faults
    var loadThreads: Int
    var description: String { "\(frames) frames, quota \(quotaBlocks ?? 0), \(faults)" }
  }

  private static func setting(_ seed: UInt64) -> Setting {
    var faults = FaultyColdTier.Faults()
    faults.delayMicroseconds = 60
    if seed % 2 == 1 {
      faults.commitFailureShare = 0.1
      faults.loadFailureShare = 0.05
      faults.encodeFailureShare = 0.01
    }
    if seed % 4 == 3 { faults.damageShare = 0.02 }
    return Setting(
      frames: [6, 24, 1, 16][Int(seed) % 4], quotaBlocks: seed % 3 == 2 ? 80 : nil, faults: faults,
      loadThreads: Int(seed % 3))
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func `threads that fill, lease, commit and delete at once never see a wrong byte and leave no pin`(seed: UInt64)
    throws
  {
    let setting = Self.setting(seed)
    let bench = Bench(
      frames: setting.frames, quotaBlocks: setting.quotaBlocks, batchFrames: 8, loadThreads: setting.loadThreads,
      idleMilliseconds: 2, seed: seed, faults: setting.faults)
    // Half of the chains fork off one another, so that threads meet on the same blocks.
    let chains = (0..<40).map { number -> [BlockDescriptor] in
      let stem = Array(bench.chain(1 + number / 3, 12)[..<(number % 3 * 4)])
      var chain = stem
      for index in 0..<8 {
        let tokens = (0..<4).map { Token(number * 1000 + index * 4 + $0) }
        chain.append(BlockDescriptor(space: Bench.space, parent: chain.last?.key.hash ?? Bench.root, tokens: tokens))
      }
      return chain
    }
    let workers = Lock<[Worker]>([])
    onThreads(4) { number in
      var worker = Worker(bench: bench, chains: chains, number: number, seed: seed)
      worker.run(400)
      let done = worker
      workers.withLock { $0.append(done) }
    }
    let findings = workers.withLock { $0.flatMap(\.findings) }
    #expect(findings.isEmpty, "seed \(seed): \(setting)")

    bench.faulty.faults = FaultyColdTier.Faults()
    _ = try? bench.pager.close()
    bench.assertInvariants()
    let statistics = bench.pager.statistics
    if setting.quotaBlocks == nil { #expect(statistics.dropped == 0, "seed \(seed): no block lost its parent") }
    #expect(statistics.pinnedBlocks == 0, "seed \(seed)")
    #expect(statistics.peakBytes <= setting.frames * bench.layout.frameByteCount, "seed \(seed)")
    guard bench.faulty.damagedKeys.isEmpty else { return }
    let other = bench.reopened(frames: 64)
    for chain in workers.withLock({ $0.flatMap { $0.committed.values } }) {
      #expect(try bench.readBack(chain, from: other) == chain.count, "seed \(seed): a committed session is whole")
    }
  }
}
