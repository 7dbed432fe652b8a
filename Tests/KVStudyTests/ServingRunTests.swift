import Foundation
import KVStudy
import Testing

@Suite struct ServingRunTests {
  /// KVPAGER_LONG=1 tries a hundred times as many.
  static let seedCount = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 60 : 6000

  @Test func `memory adds up at every event, under every policy`() {
    for seed in 0..<Self.seedCount {
      let random = RandomWorkload(seed: seed)
      for policy in random.policies {
        var run = ServingRun(random.workload, random.model, policy)
        while run.advance() {
          if let flaw = run.flaw {
            Issue.record("seed \(seed), \(policy.name), step \(run.now): \(flaw)")
            break
          }
        }
        let outcome = run.outcome
        #expect(outcome.admittedCount + outcome.refusedCount == random.workload.requests.count)
        #expect(run.account.held == 0 && run.account.free == random.model.capacityTokenCount, "all came back")
        #expect(
          outcome.sums.used + outcome.sums.reserved + outcome.sums.inside + outcome.sums.free
            == outcome.sums.stepCount * random.model.capacityTokenCount)
      }
    }
  }

  @Test func `a slow server that counts row by row comes to the same figures`() {
    for seed in 0..<Self.seedCount {
      let random = RandomWorkload(seed: seed)
      for policy in random.policies {
        var outcome = ServingRun.outcome(random.workload, random.model, policy)
        let wanted = SlowServer.outcome(random, policy)
        // What the slow server does not keep.
        outcome.timeline = wanted.timeline
        outcome.waitedMicroseconds = wanted.waitedMicroseconds
        outcome.preemptedTokenCount = wanted.preemptedTokenCount
        outcome.largestFreeRefusedNeed = wanted.largestFreeRefusedNeed
        #expect(outcome == wanted, "seed \(seed), \(policy.name)")
      }
    }
  }

  @Test func `the timeline's parts are the sums, cut into equal spans`() {
    for seed in 0..<Self.seedCount {
      let random = RandomWorkload(seed: seed)
      for policy in random.policies {
        let outcome = ServingRun.outcome(random.workload, random.model, policy)
        let parts = outcome.timeline.parts
        #expect(parts.count <= OccupancyTimeline.partLimit)
        #expect(parts.reduce(0) { $0 + $1.used } == outcome.sums.used)
        #expect(parts.reduce(0) { $0 + $1.stepCount } == outcome.sums.stepCount)
        #expect(parts.dropLast().allSatisfy { $0.stepCount == outcome.timeline.partStepCount })
      }
    }
  }

  /// An hour of requests, a few in the two hours before, one ten hours later.
  private static func unevenDay(hourOnly: Bool = false) -> ServingWorkload {
    let quiet = hourOnly ? [] : stride(from: 0, to: 7_200, by: 600).map { $0 } + [36_000]
    let arrivals = quiet + Array(7_200..<10_800)
    return ServingWorkload(
      name: "day",
      requests: arrivals.sorted().map {
        ServingRequest(arrivalMicroseconds: $0 * 1_000_000, promptTokenCount: 100, outputTokenCount: 10)
      })
  }

  @Test func `the mean is over the span, and what goes on after the last arrival is none of it`() {
    func mean(_ arrivals: [Int]) -> Int {
      let requests = arrivals.map {
        ServingRequest(arrivalMicroseconds: $0 * 1_000_000, promptTokenCount: 1_000, outputTokenCount: 0)
      }
      var model = ServingModel(capacityTokenCount: 1, maximumTokenCount: 1_000)
      model.stepMicroseconds = 1_000_000
      model.prefillRate = 10
      return BusiestHour(ServingWorkload(name: "few", requests: requests), model).meanTokenCount
    }
    // Each stays for a hundred seconds.
    #expect(mean([0, 0, 0]) == 3_000)
    #expect(mean([0, 100]) == 1_000)
    #expect(mean([0, 10]) == 1_000)
    #expect(mean([0, 50, 100]) == 1_500)
    #expect(mean([0, 200]) == 500)
  }

  @Test func `means are over the busiest hour, which idle hours do not dilute`() throws {
    var options = PagingStudyOptions()
    options.stepMicroseconds = 1_000_000
    let plan = try ServingPlan(Self.unevenDay(), options)
    #expect(plan.measuredMicroseconds == 7_200_000_000..<10_800_000_000)
    let alone = try ServingPlan(Self.unevenDay(hourOnly: true), options)
    #expect(alone.measuredMicroseconds == nil)
    for policy in AllocationPolicy.contiguous + [.paged(blockTokenCount: 16, sharesPrefixes: false)] {
      let outcome = ServingRun.outcome(plan.workload, plan.model, policy)
      #expect(outcome.sums.stepCount == 3_600)
      // Parts of five minutes: twelve are the hour.
      #expect(outcome.timeline.partStepCount == 300 && outcome.timeline.stepCount == 36_000)
      var hour = MemoryIntegral()
      for part in outcome.timeline.parts[24..<36] {
        hour.used += part.used
        hour.reserved += part.reserved
        hour.inside += part.inside
        hour.free += part.free
        hour.held += part.held
      }
      #expect(outcome.sums.used == hour.used && outcome.sums.reserved == hour.reserved)
      #expect(outcome.sums.inside == hour.inside && outcome.sums.free == hour.free && outcome.sums.held == hour.held)
      #expect(outcome.admittedCount + outcome.refusedCount == plan.workload.requests.count, "all are counted")
      let busy = ServingRun.outcome(alone.workload, alone.model, policy)
      #expect(abs(outcome.meanHeld - busy.meanHeld) < 0.1, "\(outcome.meanHeld), \(busy.meanHeld)")
    }
  }

  @Test
  func `in the scenario contiguous memory refuses the long request though far more is free, and paging admits it`() {
    let scenario = FragmentationScenario()
    let need = scenario.longRequest.tokenCount
    for verdict in scenario.verdicts {
      #expect(verdict.map.reduce(0) { $0 + $1.tokens.count } == scenario.model.capacityTokenCount)
      #expect(zip(verdict.map, verdict.map.dropFirst()).allSatisfy { $0.tokens.upperBound == $1.tokens.lowerBound })
      let free = verdict.map.filter { $0.use == .free }.reduce(0) { $0 + $1.tokens.count }
      #expect(free == verdict.freeTokenCount)
      for place in verdict.given {
        // What it was given was free before.
        #expect(verdict.map.filter { $0.use != .free }.allSatisfy { !$0.tokens.overlaps(place) })
      }
    }
    for fit in [AddressSpace.Fit.first, .best] {
      let verdict = scenario.verdicts.first { $0.policy == .contiguous(.exact, fit) }
      #expect(verdict?.isAdmitted == false)
      #expect((verdict?.freeTokenCount ?? 0) > 3 * need, "far more is free than it needs")
      #expect((verdict?.largestHoleTokenCount ?? .max) < need)
    }
    let paged = scenario.verdicts.first { $0.policy.blockTokenCount != nil }
    #expect(paged?.isAdmitted == true)
    #expect((paged?.largestHoleTokenCount ?? .max) < need, "it lies in more pieces than any")
    #expect(paged?.given.count == (scenario.longRequest.promptTokenCount + 15) / 16)
  }
}
