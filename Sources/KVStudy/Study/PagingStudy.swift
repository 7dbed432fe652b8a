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

  /// - Throws: `invalidArgument` for what cannot be meant, whatever the workload.
  package func check() throws(StoreError) { try model(capacityTokenCount: 1, maximumTokenCount: 1).check() }

  func model(capacityTokenCount: Int, maximumTokenCount: Int) throws(StoreError) -> ServingModel {
    var model = ServingModel(
      capacityTokenCount: capacityTokenCount, maximumTokenCount: self.maximumTokenCount ?? maximumTokenCount)
    model.stepMicroseconds = stepMicroseconds
    model.prefillRate = prefillRate
    model.patienceMicroseconds = patienceMicroseconds
    if let byteCount = capacityByteCount {
      model.capacityTokenCount = byteCount / layout.tokenByteCount
      guard model.capacityTokenCount > 0 else {
        throw .invalidArgument(
          "--capacity of \(byteCount) bytes holds no row: one token takes \(layout.tokenByteCount) bytes")
      }
    }
    return model
  }
}

/// A workload served under each policy, the scenario, and what was measured on this machine.
package struct PagingStudy: Sendable {
  package static let schemaName = "study-paging"

  package var plan: ServingPlan
  /// The contiguous ones, the paged ones by block size, those with shared prefixes by block size.
  package var outcomes: [PolicyOutcome] = []
  package var scenario: FragmentationScenario
  package var measurements: StudyMeasurements?
  package var recommendation: Recommendation

  package var layout: StudyLayout { plan.layout }
  package var workload: ServingWorkload { plan.workload }
  package var model: ServingModel { plan.model }

  /// Serves the workload under every policy.
  package init(
    _ plan: ServingPlan, measurements: StudyMeasurements? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) {
    self.plan = plan
    self.measurements = measurements
    let (workload, model) = (plan.workload, plan.model)
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
