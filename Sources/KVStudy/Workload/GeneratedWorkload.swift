import KVBlocks

/// A workload that a few numbers tell wholly.
package struct GeneratedWorkload: Hashable, Sendable {
  package static let requestLimit = 1_000_000
  package static let commonRequestCount = 18_000
  package static let commonRequestRate = 5.0
  package static let commonSeed: UInt64 = 1

  /// What was asked for: "chat", "uniform:100-2000/fixed:50".
  let text: String
  let prompts: LengthDistribution
  let outputs: LengthDistribution
  package var requestCount: Int
  /// Requests a second, on average: their arrivals are a Poisson process.
  package var requestRate: Double
  package var seed: UInt64

  /// - Parameter text: `chat`, or a distribution of lengths; after a slash that of the outputs, where it is another.
  /// - Throws: `invalidArgument`, naming what cannot be.
  package init(
    _ text: String, requestCount: Int = commonRequestCount, requestRate: Double = commonRequestRate,
    seed: UInt64 = commonSeed
  ) throws(StoreError) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    self.text = text
    prompts = parts[0] == "chat" ? .chatPrompts : try LengthDistribution(parts[0])
    if parts.count > 1 {
      outputs = parts[1] == "chat" ? .chatOutputs : try LengthDistribution(parts[1])
    } else {
      outputs = parts[0] == "chat" ? .chatOutputs : prompts
    }
    guard prompts.longest + outputs.longest <= ServingWorkload.tokenLimit else {
      throw .invalidArgument(
        "\"\(text)\" gives requests of up to \(prompts.longest + outputs.longest) tokens, prompt and output; "
          + "at most \(ServingWorkload.tokenLimit) can be served")
    }
    guard (1...Self.requestLimit).contains(requestCount) else {
      throw .invalidArgument("\(requestCount) requests; give 1 to \(Self.requestLimit)")
    }
    guard requestRate >= 0.001, requestRate <= 1_000_000 else {
      throw .invalidArgument("\(requestRate) requests a second; give 0.001 to 1000000")
    }
    self.requestCount = requestCount
    self.requestRate = requestRate
    self.seed = seed
  }

  package var workload: ServingWorkload {
    var draws = SeededDraws(seed: seed)
    var arrival = 0.0
    var requests: [ServingRequest] = []
    requests.reserveCapacity(requestCount)
    for _ in 0..<requestCount {
      arrival += draws.exponential() / requestRate * 1_000_000
      requests.append(
        ServingRequest(
          arrivalMicroseconds: Int(arrival), promptTokenCount: prompts.draw(&draws),
          outputTokenCount: outputs.draw(&draws)))
    }
    return ServingWorkload(name: "\(text), seed \(seed)", requests: requests)
  }
}
