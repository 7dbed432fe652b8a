/// What a workload made of a server under one policy.
package struct PolicyOutcome: Hashable, Sendable {
  package var policy: AllocationPolicy
  package var capacityTokenCount: Int
  /// Over the model's measured steps; without them from the first arrival to the last, over the whole run where all
  /// arrive at once.
  package var sums = MemoryIntegral()
  /// The most that was ever used, taken, and held at once, measured or not.
  package var peakUsed = 0
  package var peakTaken = 0
  package var peakHeld = 0

  package var admittedCount = 0
  package var refusedCount = 0
  /// Of those refused: longer than memory, or than a request may be. No waiting helps.
  package var neverFitCount = 0
  /// Of those refused: whose every row would have had room in what was free, in holes too small for its stretch.
  package var refusedThoughFree = 0
  /// The largest share of memory that was free then.
  package var largestFreeRefused = 0
  /// How many rows the request had that was refused then.
  package var largestFreeRefusedNeed = 0
  package var preemptionCount = 0
  /// Rows that preempted requests gave up and got back.
  package var preemptedTokenCount = 0
  /// Rows of output of requests that were served.
  package var servedTokenCount = 0
  package var waitedMicroseconds = 0
  package var timeline = OccupancyTimeline()

  package init(policy: AllocationPolicy, capacityTokenCount: Int) {
    self.policy = policy
    self.capacityTokenCount = capacityTokenCount
  }

  /// Sum of a part over time as a share of memory.
  package func share(_ part: KeyPath<MemoryIntegral, Int>) -> Double {
    guard sums.stepCount > 0 else { return 0 }
    return Double(sums[keyPath: part]) / Double(sums.stepCount) / Double(capacityTokenCount)
  }

  /// Of what was taken, the share that held no token (reserved and wasted inside).
  package var unusedShareOfTaken: Double {
    let taken = sums.used + sums.reserved + sums.inside
    return taken > 0 ? Double(sums.reserved + sums.inside) / Double(taken) : 0
  }

  package var meanHeld: Double { sums.stepCount > 0 ? Double(sums.held) / Double(sums.stepCount) : 0 }
}

/// Sums over equal parts of the time from the first arrival to the last, one after the other.
package struct OccupancyTimeline: Hashable, Sendable {
  package static let partLimit = 120
  package var parts: [MemoryIntegral] = []
  package var partStepCount = 0
  package var stepCount: Int { parts.reduce(0) { $0 + $1.stepCount } }

  package init() {}
}
