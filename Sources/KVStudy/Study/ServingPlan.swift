import KVBlocks

/// What is served, and by which server: all that can be refused is refused here.
package struct ServingPlan: Sendable {
  package let layout: StudyLayout
  package let workload: ServingWorkload
  package let model: ServingModel
  /// Whether the study chose the memory, and the mean over the busiest hour that it went by.
  package let capacityIsChosen: Bool
  package let busiestHourTokenCount: Int
  /// Of the server's memory.
  package let capacityByteCount: Int

  /// - Throws: `invalidArgument`, naming what cannot be meant.
  package init(_ workload: ServingWorkload, _ options: PagingStudyOptions) throws(StoreError) {
    layout = options.layout
    self.workload = workload
    var model = try options.model(capacityTokenCount: 1, maximumTokenCount: workload.longestTokenCount)
    try model.check(workload)
    let hour = BusiestHour(workload, model)
    busiestHourTokenCount = hour.meanTokenCount
    model.measuredSteps = hour.steps
    capacityIsChosen = options.capacityByteCount == nil
    if capacityIsChosen { model.capacityTokenCount = hour.capacityTokenCount(workload, model) }
    self.model = model
    let (byteCount, isTooLarge) = model.capacityTokenCount.multipliedReportingOverflow(by: layout.tokenByteCount)
    guard !isTooLarge else {
      throw .invalidArgument(
        "memory for \(model.capacityTokenCount) rows of \(layout.tokenByteCount) bytes each is more than can be "
          + "counted; give a smaller model, shorter requests or --capacity")
    }
    capacityByteCount = byteCount
  }

  /// The time that means are over, since the first arrival; nil: all of it up to the last.
  package var measuredMicroseconds: Range<Int>? {
    guard let steps = model.measuredSteps, let first = workload.requests.first else { return nil }
    let start = model.step(of: first.arrivalMicroseconds)
    return (steps.lowerBound - start) * model.stepMicroseconds..<(steps.upperBound - start) * model.stepMicroseconds
  }
}
