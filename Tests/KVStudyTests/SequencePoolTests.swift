import KVPager
import KVSimulation
import Testing

@testable import KVStudy

/// The study's paged server against the real one: the same requests, each a sequence in flight.
private final class RealServer {
  private let rig: Rig
  private let pool: SequencePool
  private let workload: ServingWorkload
  private var sequences: [Int: RunningSequence] = [:]

  init(_ rig: Rig, _ store: Store, _ workload: ServingWorkload) throws {
    self.rig = rig
    self.workload = workload
    pool = SequencePool(try rig.space(store))
  }

  var accounting: SequenceAccounting { pool.accounting }

  /// A request's tokens: named blocks are equal wherever their name is, all others are its own.
  private func tokens(of request: Int, count: Int) -> [Token] {
    let names = Array(workload.prefixBlocks[workload.requests[request].prefix])
    let size = workload.prefixBlockTokenCount
    return (0..<count).map { position in
      position < names.count * size
        ? Token(Int(names[position / size]) * size + position % size) : Token(1_000_000 + request * 1_000 + position)
    }
  }

  private func extend(_ request: Int, to count: Int) throws {
    guard let sequence = sequences[request], sequence.tokenCount < count else { return }
    let all = tokens(of: request, count: count)
    try sequence.append(Array(all[sequence.tokenCount...]))
    let states = rig.rows.states(of: sequence.tokens)
    for plane in rig.layout.planes.indices {
      sequence.withUnsafeNewRows(ofPlane: plane) { positions, bytes in
        rig.rows.fill(bytes, plane: plane, states: states[positions])
      }
    }
    // Full blocks become the store's, so that the next sequence finds them.
    try sequence.append([])
  }

  /// Does what the run did in its last step.
  func follow(_ events: [ServingEvent], _ run: ServingRun) throws {
    for case .left(let request) in events { sequences.removeValue(forKey: request)?.free() }
    let prompts = workload.requests.map(\.promptTokenCount)
    // Rows of the steps before this one, which all have room.
    for request in run.running where sequences[request]?.isPreempted == false {
      let isGrowing = run.stays[request].isGrowing
      try extend(request, to: prompts[request] + run.outputCount(of: request) - (isGrowing ? 1 : 0))
    }
    for case .preempted(let request) in events {
      try extend(request, to: prompts[request] + max(0, run.stays[request].preemptedOutputCount))
      try sequences[request]?.preempt()
    }
    for request in run.running where sequences[request]?.isPreempted == false {
      try extend(request, to: prompts[request] + run.outputCount(of: request))
    }
    for event in events {
      if case .cameBack(let request) = event { try sequences[request]?.resume() }
      guard case .admitted(let request) = event else { continue }
      let all = tokens(of: request, count: prompts[request])
      let names = workload.requests[request].prefix.count * workload.prefixBlockTokenCount
      sequences[request] = try pool.start(from: pool.space.longestPrefix(of: Array(all[..<names])))
      try extend(request, to: prompts[request])
    }
  }
}

@Suite struct SequencePoolTests {
  @Test(arguments: [1, 4, 8]) func `sequences in flight take just the frames that the study counts`(
    blockTokenCount: Int
  ) throws {
    var preemptionCount = 0
    for seed in 0..<6 {
      let (workload, model) = Self.crowd(seed: seed)
      let sharing = workload.namesPrefixes
      var run = ServingRun(
        workload, model, .paged(blockTokenCount: blockTokenCount, sharesPrefixes: sharing))
      let rig = try Rig(blockTokenCount: blockTokenCount, rowByteCount: 16, layerCount: 1)
      let store = try rig.open(blocks: model.capacityTokenCount / blockTokenCount)
      let server = try RealServer(rig, store, workload)
      let log = EventLog()
      run.tell = { log.events.append($0) }
      while run.advance() {
        try server.follow(log.events, run)
        log.events = []
        var wanted = SequenceAccounting()
        wanted.runningCount = run.account.held
        wanted.preemptedCount = run.preempted.count
        wanted.sequenceTokenCount = run.account.seen
        wanted.frameCount = run.account.taken / blockTokenCount
        wanted.reservedTokenCount = run.account.taken
        wanted.usedTokenCount = run.account.used
        #expect(server.accounting == wanted, "seed \(seed), step \(run.now)")
        #expect(server.accounting.wastedTokenCount == run.account.reserved + run.account.inside)
        if server.accounting != wanted { return }
      }
      preemptionCount += run.outcome.preemptionCount
      #expect(server.accounting == SequenceAccounting())
      try store.close()
    }
    #expect(preemptionCount > 0, "some had to give way")
  }

  private final class EventLog {
    var events: [ServingEvent] = []
  }

  /// Few requests for little memory; every other crowd shares beginnings.
  private static func crowd(seed: Int) -> (ServingWorkload, ServingModel) {
    var draws = SeededDraws(seed: UInt64(seed))
    var (requests, blocks): ([ServingRequest], [Int32]) = ([], [])
    var arrival = 0
    for _ in 0..<24 {
      arrival += draws.below(6_000)
      let prompt = 1 + draws.below(40)
      let first = blocks.count
      if seed % 2 == 1 {
        let trunk = draws.below(2)
        for place in 0..<min(prompt / 8, draws.below(5)) { blocks.append(Int32(10 * trunk + place)) }
      }
      requests.append(
        ServingRequest(
          arrivalMicroseconds: arrival, promptTokenCount: prompt, outputTokenCount: draws.below(40),
          prefix: first..<blocks.count))
    }
    let workload = ServingWorkload(
      name: "crowd", requests: requests, prefixBlocks: blocks, uniquePrefixBlockCount: seed % 2 == 1 ? 20 : 0,
      prefixBlockTokenCount: 8)
    var model = ServingModel(capacityTokenCount: 96, maximumTokenCount: 80)
    model.stepMicroseconds = 1_000
    model.prefillRate = 20_000
    return (workload, model)
  }
}
