/// Nine steps from pale to strong, each with ink that can be read on it: what heat maps are filled with.
package enum Steps {
  package static let count = 9
  /// The step of a count of 1, which must be seen beside nothing.
  package static let firstOfCounts = 2

  /// The step of `value` between `low` and `high`.
  package static func step(_ value: Double, from low: Double, to high: Double) -> Int {
    guard value.isFinite, high > low else { return 0 }
    return min(count - 1, max(0, Int((value - low) / (high - low) * Double(count))))
  }

  /// The step of a count that spans orders of magnitude, 1 to `high`.
  package static func step(count value: Int, to high: Int) -> Int {
    guard value > 1, high > 1 else { return firstOfCounts }
    let steps = Double(count - 1 - firstOfCounts)
    return min(count - 1, firstOfCounts + Int((steps * log2(of: value) / log2(of: high)).rounded(.up)))
  }

  /// The binary logarithm of a number over 0, between its powers of two along a line: close enough for a shade.
  static func log2(of value: Int) -> Double {
    let exponent = value.bitWidth - 1 - value.leadingZeroBitCount
    return Double(exponent) + (Double(value) / Double(1 << exponent) - 1)
  }

  /// "pale is 1.00 ×, strong is 1.45 ×".
  package static func legend(_ low: HTML, _ high: HTML, from first: Int = 0) -> HTML {
    let boxes = (first..<count).map { step in
      "<rect class=\"s\(step)\" x=\"\((step - first) * 16)\" width=\"16\" height=\"12\"/>" as HTML
    }
    return """
      <p class="legend"><span>\(low)</span>\
      <svg aria-hidden="true" width="\((count - first) * 16)" height="12">\(boxes)</svg><span>\(high)</span></p>

      """
  }
}
