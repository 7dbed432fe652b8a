/// The hour that wants most memory: of the rows that requests would hold, were each admitted when it arrives.
package struct BusiestHour: Hashable, Sendable {
  /// Rows wanted, on average over the hour (over the whole span from the first arrival to the last, where that is
  /// shorter).
  ///
  /// It is what a study gives the server unless told otherwise: a policy that wastes nothing is full then, and what
  /// another wastes it has to refuse.
  package private(set) var meanTokenCount = 0
  /// When it is; nil where the span is no longer than an hour.
  package private(set) var steps: Range<Int>?

  package init(_ workload: ServingWorkload, _ model: ServingModel) {
    guard let first = workload.requests.first else { return }
    let minuteStepCount = max(1, 60_000_000 / model.stepMicroseconds)
    let start = model.step(of: first.arrivalMicroseconds)
    let spanStepCount = max(
      1, model.step(of: workload.requests[workload.requests.count - 1].arrivalMicroseconds) - start)
    let minuteCount = (spanStepCount + minuteStepCount - 1) / minuteStepCount
    var minutes = Array(repeating: 0.0, count: minuteCount)
    for request in workload.requests {
      let arrival = model.step(of: request.arrivalMicroseconds) - start
      let growing = arrival + model.prefillStepCount(request.promptTokenCount)
      // What goes on after the last arrival is not in the span.
      let last = min(growing + request.outputTokenCount, spanStepCount)
      var step = arrival
      while step < last {
        let end = min((step / minuteStepCount + 1) * minuteStepCount, last)
        let middle = Double(max(0, (step + end) / 2 - growing))
        minutes[step / minuteStepCount] += (Double(request.promptTokenCount) + middle) * Double(end - step)
        step = end
      }
    }
    let width = min(60, minuteCount)
    var sum = minutes[..<width].reduce(0, +)
    var (most, busiest) = (sum, 0)
    for minute in width..<max(width, minuteCount) {
      sum += minutes[minute] - minutes[minute - width]
      if sum > most { (most, busiest) = (sum, minute - width + 1) }
    }
    meanTokenCount = Int(most / Double(min(spanStepCount, width * minuteStepCount)))
    if minuteCount > width {
      let begin = start + busiest * minuteStepCount
      steps = begin..<min(begin + width * minuteStepCount, start + spanStepCount)
    }
  }

  /// The default for a server's memory: that mean, and never less than what the longest request needs under every
  /// policy.
  package func capacityTokenCount(_ workload: ServingWorkload, _ model: ServingModel) -> Int {
    var longest = 1
    while longest < max(workload.longestTokenCount, model.maximumTokenCount) { longest *= 2 }
    let wanted = max(longest, meanTokenCount)
    return min(ServingModel.capacityLimit, (wanted + 511) / 512 * 512)
  }
}
