import KVInspection

/// A histogram in a few characters.
struct Bars {
  private let levels: [Character]

  init(isUTF8: Bool) { levels = Array(isUTF8 ? "▁▂▃▄▅▆▇█" : ".:-=+*#@") }

  /// One character for each two parts; nothing stands for nothing.
  func line(_ histogram: [Int]) -> String {
    let pairs = stride(from: 0, to: histogram.count, by: 2).map { place in
      histogram[place] + (place + 1 < histogram.count ? histogram[place + 1] : 0)
    }
    let most = pairs.max() ?? 0
    return String(pairs.map { $0 == 0 ? " " : levels[($0 * levels.count - 1) / max(most, 1)] })
  }

  /// A line for each part: where it begins, a bar, its count.
  func table(_ numbers: NumericSummary) -> [String] {
    let width = (numbers.maximum - numbers.minimum) / Double(NumericSummary.binCount)
    let most = max(numbers.histogram.max() ?? 0, 1)
    let starts = numbers.histogram.indices.map { Decimal.significant(numbers.minimum + Double($0) * width) }
    let room = starts.map(\.count).max() ?? 0
    return numbers.histogram.enumerated().map { place, count in
      let bar = String(repeating: levels[levels.count - 1], count: (count * 40 + most - 1) / most)
      let start = String(repeating: " ", count: room - starts[place].count) + starts[place]
      return "\(start)  \(bar)\(bar.isEmpty ? "" : " ")\(Decimal.grouped(count))"
    }
  }
}
