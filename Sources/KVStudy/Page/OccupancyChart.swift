import KVInspection

/// Memory over time: its uses one above the other, the whole height is all memory.
enum OccupancyChart {
  /// The drawing keeps its proportions, so that patterns keep theirs.
  private static let (width, height) = (600.0, 150.0)

  static func html(_ outcome: PolicyOutcome, span: HTML) -> HTML {
    let parts = outcome.timeline.parts
    var lower = Array(repeating: 0.0, count: parts.count)
    var paths: [HTML] = []
    for use in MemoryUse.allCases {
      let upper = parts.indices.map { index -> Double in
        let all = Double(max(1, parts[index].stepCount)) * Double(outcome.capacityTokenCount)
        return min(height, lower[index] + Double(use.sum(parts[index])) / all * height)
      }
      paths.append("<path class=\"\(use.fill)\" d=\"\(path(lower, upper))\"/>")
      lower = upper
    }
    return """
      <svg class="occupancy" aria-hidden="true" viewBox="0 0 \(Int(width)) \(Int(height))" width="100%">\(paths)</svg>
      <p class="axis"><span>first arrival</span><span>\(span)</span></p>
      """
  }

  /// Steps, for each part is a mean.
  private static func path(_ lower: [Double], _ upper: [Double]) -> String {
    guard let first = upper.first else { return "" }
    let step = width / Double(upper.count)
    func place(_ value: Double) -> String { Figures.decimal(height - value, digits: 1) }
    func column(_ index: Int) -> String { Figures.decimal(Double(index) * step, digits: 1) }
    var text = "M0 \(place(first))"
    for (index, value) in upper.enumerated() { text += "V\(place(value))H\(column(index + 1))" }
    for (index, value) in lower.enumerated().reversed() { text += "V\(place(value))H\(column(index))" }
    return text + "Z"
  }
}
