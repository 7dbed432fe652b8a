import KVStudy

/// A small server and requests that crowd it, told by a seed.
struct RandomWorkload {
  let workload: ServingWorkload
  let model: ServingModel

  init(seed: Int) {
    var draws = SeededDraws(seed: UInt64(seed))
    let capacity = 40 + draws.below(400)
    let longest = 5 + draws.below(capacity)
    let namesPrefixes = seed % 3 == 0
    let prefixBlockTokenCount = 8
    var (requests, blocks): ([ServingRequest], [Int32]) = ([], [])
    var arrival = 0
    for _ in 0..<(5 + draws.below(60)) {
      arrival += draws.below(4) == 0 ? 0 : draws.below(8_000)
      let prompt = 1 + draws.below(longest)
      let first = blocks.count
      if namesPrefixes {
        // Prefixes of a few trunks, then of one's own.
        let trunk = draws.below(3)
        let common = draws.below(4)
        for place in 0..<prompt / prefixBlockTokenCount {
          blocks.append(Int32(place < common ? 50 * trunk + place : 150 + draws.below(200)))
        }
      }
      requests.append(
        ServingRequest(
          arrivalMicroseconds: arrival, promptTokenCount: prompt, outputTokenCount: draws.below(longest),
          prefix: first..<blocks.count))
    }
    workload = ServingWorkload(
      name: "seed \(seed)", requests: requests, prefixBlocks: blocks,
      uniquePrefixBlockCount: namesPrefixes ? 350 : 0, prefixBlockTokenCount: prefixBlockTokenCount)
    var model = ServingModel(capacityTokenCount: capacity, maximumTokenCount: 1 + draws.below(2 * longest))
    model.stepMicroseconds = 1_000
    model.prefillRate = 10_000
    model.patienceMicroseconds = draws.below(3) * 20_000
    self.model = model
  }

  var policies: [AllocationPolicy] {
    let paged = [1, 2, 4, 8, 16].map { AllocationPolicy.paged(blockTokenCount: $0, sharesPrefixes: false) }
    let sharing = [1, 4, 8].map { AllocationPolicy.paged(blockTokenCount: $0, sharesPrefixes: true) }
    return AllocationPolicy.contiguous + paged + (workload.namesPrefixes ? sharing : [])
  }
}
