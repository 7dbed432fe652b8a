/// The named scenario `fragmentation`: after many short requests came and went, a server that allocates contiguously
/// refuses a long one, though far more memory is free than it needs. Paging admits it.
package struct FragmentationScenario: Sendable {
  package static let name = "fragmentation"
  package static let blockTokenCount = 16
  private static let capacityTokenCount = 65_536
  private static let longTokenCounts = (prompt: 9_500, output: 500)
  private static let shortCount = 1_200
  /// Ten a second, then none for a while.
  private static let meanGapMicroseconds = 100_000
  private static let quietMicroseconds = 7_000_000

  package enum Use: String, Sendable, CaseIterable {
    case used, reserved, inside, free
  }

  /// Rows one after the other that are used alike.
  package struct Stretch: Hashable, Sendable {
    package var use: Use
    package var tokens: Range<Int>
  }

  /// What became of the long request under one policy.
  package struct Verdict: Sendable {
    package var policy: AllocationPolicy
    package var isAdmitted: Bool
    /// Of the short ones.
    package var admittedCount: Int
    /// Just before it came.
    package var freeTokenCount: Int
    package var holeCount: Int
    package var largestHoleTokenCount: Int
    /// What it asks for at once: its stretch, or the blocks of its prompt.
    package var wantedTokenCount: Int
    /// All memory just before it came, from the first row to the last.
    package var map: [Stretch]
    /// The rows that it was given.
    package var given: [Range<Int>]
  }

  package let workload: ServingWorkload
  package let model: ServingModel
  package let verdicts: [Verdict]

  package var longRequest: ServingRequest { workload.requests[workload.requests.count - 1] }
  package var shortRequests: ArraySlice<ServingRequest> { workload.requests.dropLast() }

  package init() {
    workload = Self.makeWorkload()
    var model = ServingModel(capacityTokenCount: Self.capacityTokenCount, maximumTokenCount: 16_384)
    // Without a queue: whoever does not fit is sent away.
    model.patienceMicroseconds = 0
    self.model = model
    let policies = AllocationPolicy.contiguous + [.paged(blockTokenCount: Self.blockTokenCount, sharesPrefixes: false)]
    verdicts = policies.map { [workload] in Self.verdict($0, workload, model) }
  }

  /// Two minutes of chats, as many as memory holds; when most of them have gone, one with a document.
  private static func makeWorkload() -> ServingWorkload {
    var draws = SeededDraws(seed: 1)
    var arrival = 0
    var requests: [ServingRequest] = []
    for _ in 0..<shortCount {
      arrival += 2 * draws.below(meanGapMicroseconds)
      requests.append(
        ServingRequest(
          arrivalMicroseconds: arrival, promptTokenCount: 100 + draws.below(700),
          outputTokenCount: 50 + draws.below(950)))
    }
    requests.append(
      ServingRequest(
        arrivalMicroseconds: arrival + quietMicroseconds, promptTokenCount: longTokenCounts.prompt,
        outputTokenCount: longTokenCounts.output))
    return ServingWorkload(name: name, requests: requests)
  }

  private static func verdict(
    _ policy: AllocationPolicy, _ workload: ServingWorkload, _ model: ServingModel
  ) -> Verdict {
    let long = workload.requests.count - 1
    let arrival = model.step(of: workload.requests[long].arrivalMicroseconds)
    var run = ServingRun(workload, model, policy)
    let watch = PlacementWatch(frameCount: run.freeBlockCount)
    run.tell = { watch.take($0) }
    while let step = run.nextStep, step < arrival { run.advance() }
    let map = run.map(watch)
    let (free, holes) = (run.account.free, map.filter { $0.use == .free })
    let wanted =
      policy.blockTokenCount.map { (longTokenCounts.prompt + $0 - 1) / $0 * $0 }
      ?? run.wantedTokenCount(long)
    while let step = run.nextStep, step <= arrival { run.advance() }
    let isAdmitted = run.running.contains(long)
    let admittedCount = run.outcome.admittedCount - (isAdmitted ? 1 : 0)
    return Verdict(
      policy: policy, isAdmitted: isAdmitted, admittedCount: admittedCount, freeTokenCount: free,
      holeCount: holes.count,
      largestHoleTokenCount: holes.map(\.tokens.count).max() ?? 0, wantedTokenCount: wanted, map: map,
      given: isAdmitted ? run.places(of: long, watch) : [])
  }
}

/// Where a paged server's blocks lie: any free frame does, and the one that was given back last comes first.
final class PlacementWatch {
  private var free: [Int]
  private(set) var frames: [Int: [Int]] = [:]

  init(frameCount: Int) { free = Array((0..<frameCount).reversed()) }

  func take(_ event: ServingEvent) {
    switch event {
    case .took(let request, let count):
      for _ in 0..<count {
        if let frame = free.popLast() { frames[request, default: []].append(frame) }
      }
    case .left(let request), .preempted(let request):
      free += (frames.removeValue(forKey: request) ?? []).reversed()
    case .admitted, .cameBack, .refused: break
    }
  }
}

extension ServingRun {
  fileprivate func wantedTokenCount(_ request: Int) -> Int {
    if case .contiguous(let reach, _) = policy { stretchTokenCount(request, reach) } else { 0 }
  }

  /// The rows that a request has, in the order of its tokens.
  fileprivate func places(of request: Int, _ watch: PlacementWatch) -> [Range<Int>] {
    guard let count = policy.blockTokenCount else {
      let start = stays[request].address
      return [start..<start + stays[request].ownTokenCount]
    }
    return (watch.frames[request] ?? []).map { $0 * count..<($0 + 1) * count }
  }

  /// All memory, from the first row to the last.
  fileprivate func map(_ watch: PlacementWatch) -> [FragmentationScenario.Stretch] {
    var stretches: [FragmentationScenario.Stretch] = []
    for request in running {
      let rows = ownRows(of: request, outputCount: outputCount(of: request))
      var left = [(FragmentationScenario.Use.used, rows.used), (.reserved, rows.reserved), (.inside, rows.inside)]
      for place in places(of: request, watch) {
        var start = place.lowerBound
        while start < place.upperBound, let (use, count) = left.first {
          let end = min(place.upperBound, start + count)
          if end > start { stretches.append(.init(use: use, tokens: start..<end)) }
          left[0].1 -= end - start
          if left[0].1 == 0 { left.removeFirst() }
          start = end
        }
      }
    }
    stretches.sort { $0.tokens.lowerBound < $1.tokens.lowerBound }
    var all: [FragmentationScenario.Stretch] = []
    var end = 0
    for stretch in stretches + [.init(use: .free, tokens: model.capacityTokenCount..<model.capacityTokenCount)] {
      if stretch.tokens.lowerBound > end {
        all.append(.init(use: .free, tokens: end..<stretch.tokens.lowerBound))
      }
      if !stretch.tokens.isEmpty { all.append(stretch) }
      end = stretch.tokens.upperBound
    }
    return all
  }
}
