/// How much memory a workload wants: the rows that its requests would hold, were each admitted when it arrives.
package enum BusiestHour {
  /// The mean over the hour that wants most (over the whole span, where that is shorter).
  ///
  /// It is what a study gives the server unless told otherwise: a policy that wastes nothing is full then, and what
  /// another wastes it has to refuse.
  package static func meanTokenCount(_ workload: ServingWorkload, _ model: ServingModel) -> Int {
    guard let first = workload.requests.first else { return 0 }
    let minuteStepCount = max(1, 60_000_000 / model.stepMicroseconds)
    let start = model.step(of: first.arrivalMicroseconds)
    let spanStepCount = max(
      1, model.step(of: workload.requests[workload.requests.count - 1].arrivalMicroseconds) - start)
    let minuteCount = (spanStepCount + minuteStepCount - 1) / minuteStepCount
    var minutes = Array(repeating: 0.0, count: minuteCount)
    for request in workload.requests {
      let arrival = model.step(of: request.arrivalMicroseconds) - start
      let growing = arrival + model.prefillStepCount(request.promptTokenCount)
      var step = arrival
      while step < growing + request.outputTokenCount, step / minuteStepCount < minuteCount {
        let end = min((step / minuteStepCount + 1) * minuteStepCount, growing + request.outputTokenCount)
        let middle = Double(max(0, (step + end) / 2 - growing))
        minutes[step / minuteStepCount] += (Double(request.promptTokenCount) + middle) * Double(end - step)
        step = end
      }
    }
    let width = min(60, minuteCount)
    var sum = minutes[..<width].reduce(0, +)
    var most = sum
    for minute in width..<max(width, minuteCount) {
      sum += minutes[minute] - minutes[minute - width]
      most = max(most, sum)
    }
    return Int(most / Double(min(spanStepCount, width * minuteStepCount)))
  }

  /// The default for a server's memory: that mean, and never less than what the longest request needs under every
  /// policy.
  package static func capacityTokenCount(_ workload: ServingWorkload, _ model: ServingModel) -> Int {
    var longest = 1
    while longest < max(workload.longestTokenCount, model.maximumTokenCount) { longest *= 2 }
    let wanted = max(longest, meanTokenCount(workload, model))
    return min(ServingModel.capacityLimit, (wanted + 511) / 512 * 512)
  }
}
