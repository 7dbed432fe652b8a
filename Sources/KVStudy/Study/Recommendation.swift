import KVInspection

/// Which block size to take: the one whose costs are least in all.
///
/// Costs are shares, each of what it is a share of: memory that blocks hold without a token in it, of the memory taken;
/// time that attention takes longer through blocks; bytes that frames take more than at the size that compresses best;
/// time that looking a prompt up takes, of computing it. Their sum decides. Sums within half a point of the least count
/// as equal, and of those the largest block wins: it needs the fewest entries in every table.
package struct Recommendation: Hashable, Sendable {
  package static let margin = 0.005
  /// Without measurements: the largest block whose waste is at most this.
  package static let wasteLimit = 0.04

  package struct Cost: Hashable, Sendable {
    package var blockTokenCount: Int
    package var waste: Double
    /// Nil where nothing was measured.
    package var attention: Double?
    package var bytes: Double?
    package var lookup: Double?

    package var total: Double { waste + (attention ?? 0) + (bytes ?? 0) + (lookup ?? 0) }
  }

  package var costs: [Cost]
  package var blockTokenCount: Int
  package var isMeasured: Bool

  init(_ outcomes: [PolicyOutcome], _ measurements: StudyMeasurements?, prefillRate: Int) {
    costs = outcomes.filter { $0.policy.blockTokenCount != nil && !$0.policy.sharesPrefixes }.map { outcome in
      let count = outcome.policy.blockTokenCount ?? 0
      return Cost(
        blockTokenCount: count, waste: outcome.unusedShareOfTaken,
        attention: measurements?.attentionCost(count), bytes: measurements?.byteCost(count),
        lookup: measurements?.lookupCost(count, prefillRate: prefillRate))
    }
    isMeasured = costs.contains { $0.attention != nil || $0.bytes != nil || $0.lookup != nil }
    blockTokenCount = Self.choice(costs, isMeasured: isMeasured)
  }

  package static func choice(_ costs: [Cost], isMeasured: Bool) -> Int {
    let least = costs.map(\.total).min() ?? 0
    let good = costs.filter { isMeasured ? $0.total <= least + margin : $0.waste <= wasteLimit }
    return (good.max { $0.blockTokenCount < $1.blockTokenCount } ?? costs.first)?.blockTokenCount ?? 1
  }

  package var chosen: Cost? { costs.first { $0.blockTokenCount == blockTokenCount } }
}

extension Recommendation {
  /// The recommendation in words, made of the numbers.
  package var sentences: [String] {
    guard let chosen else { return ["No block size can be recommended: nothing was served."] }
    func percent(_ share: Double) -> String { "\(Figures.decimal(share * 100, digits: 2)) %" }
    var sentences = ["Take blocks of \(Figures.count(blockTokenCount, "token"))."]
    guard isMeasured else {
      sentences.append(
        "They waste \(percent(chosen.waste)) of the memory taken. Nothing was measured, so this is the largest size "
          + "that wastes at most \(percent(Self.wasteLimit)): smaller ones waste less, and cost more in every table.")
      return sentences
    }
    var parts = ["\(percent(chosen.waste)) of the memory taken holds no token"]
    if let attention = chosen.attention { parts.append("attention takes \(percent(attention)) longer") }
    if let bytes = chosen.bytes { parts.append("the disk holds \(percent(bytes)) more than at best") }
    if let lookup = chosen.lookup { parts.append("looking a prompt up takes \(percent(lookup)) of computing it") }
    let least = costs.min { $0.total < $1.total } ?? chosen
    let rank =
      least.blockTokenCount == blockTokenCount
      ? "Their costs are the least in all"
      : "Their costs are within \(percent(Self.margin)) of the least (\(percent(least.total)), blocks of "
        + "\(least.blockTokenCount)), and larger blocks need fewer entries in every table"
    sentences.append("\(rank): \(parts.joined(separator: ", ")); \(percent(chosen.total)) in all.")
    let others = costs.filter { $0.blockTokenCount != blockTokenCount }
    if let smaller = others.last(where: { $0.blockTokenCount < blockTokenCount }) {
      sentences.append(
        "Blocks of \(smaller.blockTokenCount) cost \(percent(smaller.total)), most of it \(Self.reason(smaller)).")
    }
    if let larger = others.first(where: { $0.blockTokenCount > blockTokenCount }) {
      sentences.append(
        "Blocks of \(larger.blockTokenCount) cost \(percent(larger.total)), most of it \(Self.reason(larger)).")
    }
    return sentences
  }

  /// What a size costs most in.
  private static func reason(_ cost: Cost) -> String {
    let parts = [
      (cost.waste, "memory that holds no token"), (cost.attention ?? 0, "attention that takes longer"),
      (cost.bytes ?? 0, "bytes on disk"), (cost.lookup ?? 0, "look-ups"),
    ]
    return parts.max { $0.0 < $1.0 }?.1 ?? ""
  }
}
