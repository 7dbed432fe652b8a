import KVInspection

/// A memory's rows, line below line, as they lie: who uses which.
enum AddressMap {
  private static let lineCount = 16

  static func html(_ verdict: FragmentationScenario.Verdict, capacity: Int) -> HTML {
    let line = max(1, capacity / lineCount)
    var paths: [(fill: String, path: String)] = []
    for (use, fill) in [("used", "t1"), ("reserved", "t3"), ("inside", "t5"), ("free", "hollow-plain")] {
      let stretches = verdict.map.filter { $0.use.rawValue == use }.map(\.tokens)
      paths.append((fill, path(merged(stretches), line: line)))
    }
    if verdict.isAdmitted { paths.append(("t2", path(merged(verdict.given), line: line))) }
    let drawn = paths.filter { !$0.path.isEmpty }.map { "<path class=\"\($0.fill)\" d=\"\($0.path)\"/>" as HTML }
    return """
      <svg class="addresses" aria-hidden="true" viewBox="0 0 \(line) \(lineCount * 10)" preserveAspectRatio="none" \
      width="100%" height="\(lineCount * 10)">\(drawn)</svg>

      """
  }

  private static func merged(_ stretches: [Range<Int>]) -> [Range<Int>] {
    var merged: [Range<Int>] = []
    for stretch in stretches.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, last.upperBound == stretch.lowerBound {
        merged[merged.count - 1] = last.lowerBound..<stretch.upperBound
      } else {
        merged.append(stretch)
      }
    }
    return merged
  }

  private static func path(_ stretches: [Range<Int>], line: Int) -> String {
    var text = ""
    for stretch in stretches {
      var start = stretch.lowerBound
      while start < stretch.upperBound {
        let (row, column) = start.quotientAndRemainder(dividingBy: line)
        let end = min(stretch.upperBound, (row + 1) * line)
        text += "M\(column) \(row * 10)h\(end - start)v9h-\(end - start)z"
        start = end
      }
    }
    return text
  }
}
