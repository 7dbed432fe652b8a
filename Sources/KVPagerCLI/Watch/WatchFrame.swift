import KVInspection

/// A view of a store in use, as the lines of a terminal: what is shown follows from the facts and the size alone.
struct WatchFrame {
  struct Size: Hashable, Sendable {
    var columnCount: Int
    var rowCount: Int
  }

  let facts: WatchFacts
  let size: Size
  let style: WatchStyle
  /// What the last line says.
  var footer = "q quits"
  /// The time of day, where it is not to be told as the user's own.
  var time: String?

  /// At most as many lines as the size has rows, none wider than its columns.
  var lines: [String] {
    guard size.rowCount > 0, size.columnCount > 0 else { return [] }
    let sections = [rateSection, processSection, sessionSection, largestSection].filter { !$0.rows.isEmpty }
    let head = headLines
    let footCount = footer.isEmpty ? 0 : 1
    // Blank lines between sections where there is room for them.
    let gap = size.rowCount >= 28 ? 1 : 0
    let (heights, problemCount) = share(size.rowCount - head.count - footCount, among: sections, gap: gap)
    var lines = head
    for (section, height) in zip(sections, heights) where height > 0 {
      if gap > 0 { lines.append("") }
      lines.append(section.title)
      lines += section.rows.prefix(height - 1)
    }
    if problemCount > 0 {
      if gap > 0 { lines.append("") }
      lines += problemLines(problemCount)
    }
    lines = Array(lines.prefix(size.rowCount - footCount))
    if footCount > 0 {
      while lines.count < size.rowCount - 1 { lines.append("") }
      lines.append(line { $0.append(footer, style.ink.faint) })
    }
    return lines
  }

  /// The lines of each section, its title among them, and of the problems: what each needs at least, in their order,
  /// and then by turns what is left. The first section, the rates, has every other turn.
  private func share(
    _ rowCount: Int, among sections: [Section], gap: Int
  ) -> (heights: [Int], problemCount: Int) {
    var room = rowCount
    let wanted = sections.map { $0.rows.count + 1 } + [facts.problems.count]
    var heights = [Int](repeating: 0, count: wanted.count)
    let problems = wanted.count - 1
    func begin(_ index: Int, _ height: Int) {
      guard height > 0, room >= gap + height else { return }
      heights[index] = height
      room -= gap + height
    }
    begin(problems, min(1, wanted[problems]))
    for (index, section) in sections.enumerated() { begin(index, min(section.leastHeight, wanted[index])) }
    let turns = wanted.indices.dropFirst().flatMap { [0, $0] }
    var isGiven = true
    while room > 0, isGiven {
      isGiven = false
      for index in turns where room > 0 && heights[index] > 0 && heights[index] < wanted[index] {
        heights[index] += 1
        room -= 1
        isGiven = true
      }
    }
    return (Array(heights.dropLast()), heights[problems])
  }

  struct Section {
    var title: String
    var rows: [String]
    /// Below it the section is left out.
    var leastHeight: Int
  }

  func line(_ fill: (inout StyledLine) -> Void) -> String {
    var line = StyledLine(size.columnCount, style)
    fill(&line)
    var text = line.text
    while text.last == " " { text.removeLast() }
    return text
  }

  // MARK: What stands above all

  private static let labelColumnCount = 9

  private var headLines: [String] {
    var lines = [titleLine, storeLine]
    if let quota = facts.quotaBytes { lines.append(quotaLine(quota)) }
    lines.append(hitLine)
    return lines
  }

  private var titleLine: String {
    let time = time ?? Timestamp(microseconds: facts.timeMicroseconds).localTime
    return line { line in
      line.append("kvpager watch  ", style.ink.strong)
      let room = line.room - DisplayWidth.of(time) - 2
      line.append(
        DisplayWidth.fittingEnd(Answer.printable(facts.path), max(8, room), ellipsis: style.ellipsis), style.ink.name)
      line.appendAtEnd(time)
    }
  }

  private var storeLine: String {
    let gauge = facts.gauge
    func count(_ count: Int, _ noun: String) -> String { "\(Decimal.grouped(count)) \(noun)\(count == 1 ? "" : "s")" }
    let used = ByteSize(gauge.usedByteCount).description
    let file = gauge.fileByteCount > gauge.usedByteCount ? " (file \(ByteSize(gauge.fileByteCount)))" : ""
    let counts = ", \(count(gauge.sessionCount, "session")), \(count(gauge.blockCount, "block"))"
    let cached = gauge.deletableBlockCount > 0 ? ", \(Decimal.grouped(gauge.deletableBlockCount)) in no session" : ""
    return line { line in
      line.append("store", columnCount: Self.labelColumnCount, style.ink.faint)
      let room = line.room
      let texts = [used + file + counts + cached, used + counts + cached, used + counts]
      line.append(texts.first { DisplayWidth.of($0) <= room } ?? used)
    }
  }

  private func quotaLine(_ quota: Int) -> String {
    let share = Double(facts.gauge.usedByteCount) / Double(max(1, quota))
    let isTight = facts.problems.contains { $0.kind == .fullQuota }
    return line { line in
      line.append("quota", columnCount: Self.labelColumnCount, style.ink.faint)
      let bar = style.bar(share, of: 1, columnCount: min(30, size.columnCount / 3))
      line.append(bar, isTight ? style.ink.bad : { $0 })
      line.append("  \(WatchNumber.percent(share)) of \(ByteSize(quota))")
    }
  }

  private var hitLine: String {
    line { line in
      line.append("hits", columnCount: Self.labelColumnCount, style.ink.faint)
      guard let total = facts.activity?.total else {
        line.append("no process has told what it does with this store")
        return
      }
      guard total.hitRate != nil else {
        let reads = total.planeReads > 0
        line.append(reads ? "all that was read went past RAM so far" : "no blocks were asked for so far")
        return
      }
      line.append(WatchNumber.percent(facts.interval?.counters.hitRate), style.ink.strong)
      line.append(" now, ")
      line.append(WatchNumber.percent(total.hitRate), style.ink.strong)
      line.append(" in all")
      guard case let asked = total.asked, asked > 0 else { return }
      func share(_ count: UInt64) -> String { WatchNumber.percent(Double(count) / asked) }
      let shares = ": \(share(total.memoryHits)) from RAM, \(share(total.diskHits)) from disk"
      if DisplayWidth.of(shares) <= line.room { line.append(shares) }
    }
  }

  private func problemLines(_ count: Int) -> [String] {
    let all = facts.problems
    let hiddenCount = all.count - count
    return all.prefix(count).enumerated().map { index, problem in
      line { line in
        let isBad = problem.kind == .damagedLoads || problem.kind == .fullQuota
        // The last that shows says how many do not.
        let more = index == count - 1 && hiddenCount > 0 ? "(\(hiddenCount) more) " : ""
        line.append("! \(more)\(Answer.printable(problem.message))", isBad ? style.ink.bad : style.ink.caution)
      }
    }
  }
}
