import KVBlocks

/// What is asked of a study.
package struct PagingStudyOptions: Sendable {
  package var layout = StudyLayout()
  /// Memory for keys and values; nil: what makes the busiest hour contended.
  package var capacityByteCount: Int?
  /// Nil: the longest request's.
  package var maximumTokenCount: Int?
  package var stepMicroseconds = 25_000
  package var prefillRate = 10_000
  package var patienceMicroseconds = 60_000_000

  package init() {}
}

/// A workload served under each policy, the scenario, and what was measured on this machine.
package struct PagingStudy: Sendable {
  package static let schemaName = "study-paging"

  package var layout: StudyLayout
  package var workload: ServingWorkload
  package var model: ServingModel
  /// Whether the study chose the memory, and the mean over the busiest hour that it went by.
  package var capacityIsChosen: Bool
  package var busiestHourTokenCount: Int
  /// The contiguous ones, the paged ones by block size, those with shared prefixes by block size.
  package var outcomes: [PolicyOutcome] = []
  package var scenario: FragmentationScenario
  package var measurements: StudyMeasurements?
  package var recommendation: Recommendation

  /// Serves the workload under every policy.
  /// - Throws: `invalidArgument`, naming what cannot be meant.
  package init(
    _ workload: ServingWorkload, _ options: PagingStudyOptions, measurements: StudyMeasurements? = nil,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws(StoreError) {
    layout = options.layout
    self.workload = workload
    self.measurements = measurements
    let maximum = options.maximumTokenCount ?? workload.longestTokenCount
    var model = ServingModel(capacityTokenCount: 1, maximumTokenCount: maximum)
    model.stepMicroseconds = options.stepMicroseconds
    model.prefillRate = options.prefillRate
    model.patienceMicroseconds = options.patienceMicroseconds
    try model.check(workload)
    busiestHourTokenCount = BusiestHour.meanTokenCount(workload, model)
    capacityIsChosen = options.capacityByteCount == nil
    if let byteCount = options.capacityByteCount {
      model.capacityTokenCount = byteCount / layout.tokenByteCount
      guard model.capacityTokenCount > 0 else {
        throw .invalidArgument(
          "--capacity of \(byteCount) bytes holds no row: one token takes \(layout.tokenByteCount) bytes")
      }
    } else {
      model.capacityTokenCount = BusiestHour.capacityTokenCount(workload, model)
    }
    try model.check(workload)
    self.model = model
    let policies = Self.policies(workload)
    for (index, policy) in policies.enumerated() {
      progress(index, policies.count)
      outcomes.append(ServingRun.outcome(workload, model, policy))
    }
    scenario = FragmentationScenario()
    recommendation = Recommendation(outcomes, measurements, prefillRate: model.prefillRate)
  }

  static func policies(_ workload: ServingWorkload) -> [AllocationPolicy] {
    let paged = AllocationPolicy.blockTokenCounts.map {
      AllocationPolicy.paged(blockTokenCount: $0, sharesPrefixes: false)
    }
    guard workload.namesPrefixes else { return AllocationPolicy.contiguous + paged }
    // A block may be as long as the trace's own, no longer.
    let sharing = AllocationPolicy.blockTokenCounts.filter { workload.prefixBlockTokenCount % $0 == 0 }
      .map { AllocationPolicy.paged(blockTokenCount: $0, sharesPrefixes: true) }
    return AllocationPolicy.contiguous + paged + sharing
  }

  package func outcome(_ policy: AllocationPolicy) -> PolicyOutcome? { outcomes.first { $0.policy == policy } }

  package var paged: [PolicyOutcome] {
    outcomes.filter { $0.policy.blockTokenCount != nil && !$0.policy.sharesPrefixes }
  }
  package var sharing: [PolicyOutcome] { outcomes.filter(\.policy.sharesPrefixes) }
  package var contiguous: [PolicyOutcome] { outcomes.filter { $0.policy.blockTokenCount == nil } }
}
