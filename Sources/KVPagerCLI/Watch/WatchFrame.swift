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
    let problemCount = facts.problems.count
    let foot = footer.isEmpty ? 0 : 1
    // Blank lines between sections where there is room for them.
    let gap = size.rowCount >= 20 ? 1 : 0
    var room = size.rowCount - head.count - foot
    var problems = min(problemCount, 1)
    room -= problems == 0 ? 0 : problems + gap
    var heights = [Int](repeating: 0, count: sections.count)
    for (index, section) in sections.enumerated() where room >= gap + section.leastHeight {
      heights[index] = section.leastHeight
      room -= gap + section.leastHeight
    }
    for (index, section) in sections.enumerated() where heights[index] > 0 {
      let more = min(max(0, room), section.rows.count + 1 - heights[index])
      heights[index] += more
      room -= more
    }
    let moreProblems = min(max(0, room), problemCount - problems)
    problems += moreProblems

    var lines = head
    func separate() { if gap > 0 { lines.append("") } }
    for (section, height) in zip(sections, heights) where height > 0 {
      separate()
      lines.append(section.title)
      lines += section.rows.prefix(height - 1)
    }
    if problems > 0 {
      separate()
      lines += problemLines(problems)
    }
    lines = Array(lines.prefix(size.rowCount - foot))
    if foot > 0 {
      while lines.count < size.rowCount - 1 { lines.append("") }
      lines.append(line { $0.append(footer, style.ink.faint) })
    }
    return lines
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
        DisplayWidth.fittingEnd(DisplayWidth.line(facts.path), max(8, room), ellipsis: style.ellipsis), style.ink.name)
      line.appendAtEnd(time)
    }
  }

  private var storeLine: String {
    let gauge = facts.gauge
    return line { line in
      line.append("store", columnCount: Self.labelColumnCount, style.ink.faint)
      line.append(ByteSize(gauge.usedByteCount).description)
      if gauge.fileByteCount > gauge.usedByteCount, size.columnCount >= 70 {
        line.append(" (file \(ByteSize(gauge.fileByteCount)))")
      }
      line.append(", \(Decimal.grouped(gauge.sessionCount)) \(gauge.sessionCount == 1 ? "session" : "sessions")")
      line.append(", \(Decimal.grouped(gauge.blockCount)) \(gauge.blockCount == 1 ? "block" : "blocks")")
      if gauge.deletableBlockCount > 0 {
        line.append(", \(Decimal.grouped(gauge.deletableBlockCount)) in no session")
      }
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
      let asked = total.hits &+ total.misses
      guard asked > 0 else { return }
      func share(_ count: UInt64) -> String { WatchNumber.percent(Double(count) / Double(asked)) }
      let shares = ": \(share(total.memoryHits)) from RAM, \(share(total.diskHits)) from disk"
      if DisplayWidth.of(shares) <= line.room { line.append(shares) }
    }
  }

  private func problemLines(_ count: Int) -> [String] {
    let shown = facts.problems.count > count ? facts.problems.prefix(max(0, count - 1)) : facts.problems[...]
    var lines = shown.map { problem in
      line { line in
        let isBad = problem.kind == .damagedLoads || problem.kind == .fullQuota
        line.append("! ", isBad ? style.ink.bad : style.ink.caution)
        line.append(DisplayWidth.line(problem.message), isBad ? style.ink.bad : style.ink.caution)
      }
    }
    let hidden = facts.problems.count - shown.count
    if hidden > 0 {
      lines.append(
        line { line in
          let noun = hidden == 1 ? "problem" : "problems"
          let more = shown.isEmpty ? "! \(hidden) \(noun): a larger window names them" : "! and \(hidden) more"
          line.append(more, style.ink.caution)
        })
    }
    return lines
  }
}
