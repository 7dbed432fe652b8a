import KVInspection

/// Memory over time: its uses one above the other, the whole height is all memory.
enum OccupancyChart {
  private static let height = 1000

  static func html(_ outcome: PolicyOutcome, span: HTML) -> HTML {
    let parts = outcome.timeline.parts
    let width = max(1, parts.count)
    var lower = Array(repeating: 0, count: parts.count)
    var paths: [HTML] = []
    for use in MemoryUse.allCases {
      let upper = parts.indices.map { index -> Int in
        let all = max(1, parts[index].stepCount) * outcome.capacityTokenCount
        let share = Double(use.sum(parts[index])) / Double(all)
        return min(height, lower[index] + Int((share * Double(height)).rounded()))
      }
      paths.append("<path class=\"\(use.fill)\" d=\"\(path(lower, upper))\"/>")
      lower = upper
    }
    return """
      <svg class="occupancy" aria-hidden="true" viewBox="0 0 \(width) \(height)" preserveAspectRatio="none" \
      width="100%" height="120">\(paths)</svg>
      <p class="axis"><span>first arrival</span><span>\(span)</span></p>
      """
  }

  /// Steps, for each part is a mean.
  private static func path(_ lower: [Int], _ upper: [Int]) -> String {
    guard !upper.isEmpty else { return "" }
    var text = "M0 \(height - upper[0])"
    for (index, value) in upper.enumerated() { text += "V\(height - value)H\(index + 1)" }
    for (index, value) in lower.enumerated().reversed() { text += "V\(height - value)H\(index)" }
    return text + "Z"
  }
}
