/// Over which steps sums are taken: in the timeline from the first arrival to the last, so that the quiet end of a run
/// does not count, and in all over those that the model says. Where all arrive at once: as long as the run is.
struct MeasuredWindow {
  private let start: Int
  private let end: Int
  private let measured: Range<Int>
  private(set) var timeline = OccupancyTimeline()
  private(set) var sums = MemoryIntegral()

  init(_ workload: ServingWorkload, _ model: ServingModel) {
    start = workload.requests.first.map { model.step(of: $0.arrivalMicroseconds) } ?? 0
    let last = workload.requests.last.map { model.step(of: $0.arrivalMicroseconds) } ?? 0
    end = last > start ? last : start + ServingModel.stepLimit
    measured = model.measuredSteps?.clamped(to: start..<end) ?? start..<end
    // Parts get twice as long whenever there are too many; those of a known span do at once.
    timeline.partStepCount =
      last > start ? (last - start + OccupancyTimeline.partLimit - 1) / OccupancyTimeline.partLimit : 1
  }

  /// Where the sums of another part begin.
  func nextEnd(after step: Int) -> Int {
    if step < start { return start }
    if step >= end { return .max }
    let next = min(end, start + ((step - start) / timeline.partStepCount + 1) * timeline.partStepCount)
    for bound in [measured.lowerBound, measured.upperBound] where step < bound && bound < next { return bound }
    return next
  }

  /// - Precondition: the steps lie in one part, and in what is measured or outside.
  mutating func add(_ account: MemoryAccount, growing: Int, from step: Int, to next: Int) {
    guard step >= start, step < end else { return }
    if (step - start) / timeline.partStepCount >= OccupancyTimeline.partLimit { mergeParts() }
    let index = (step - start) / timeline.partStepCount
    while timeline.parts.count <= index { timeline.parts.append(MemoryIntegral()) }
    timeline.parts[index].add(account, growing: growing, stepCount: next - step)
    if measured.contains(step) { sums.add(account, growing: growing, stepCount: next - step) }
  }

  private mutating func mergeParts() {
    var merged: [MemoryIntegral] = []
    for index in stride(from: 0, to: timeline.parts.count, by: 2) {
      var part = timeline.parts[index]
      if index + 1 < timeline.parts.count { part += timeline.parts[index + 1] }
      merged.append(part)
    }
    timeline.parts = merged
    timeline.partStepCount *= 2
  }
}
