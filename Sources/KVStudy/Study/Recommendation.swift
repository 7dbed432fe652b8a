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
