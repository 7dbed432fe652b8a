import KVInspection

/// The tables of a frame.
extension WatchFrame {
  private static let nameColumnCount = 11
  private static let numberColumnCount = 11

  // MARK: Rates

  /// In the order in which they are left out where there is no room, the last first.
  private static var rates: [(name: String, path: KeyPath<ActivityCounters, UInt64>, isBytes: Bool)] {
    [
      ("RAM hits", \.memoryHits, false), ("disk hits", \.diskHits, false), ("misses", \.misses, false),
      ("commits", \.sessionCommits, false), ("loads", \.loads, false), ("evictions", \.evictions, false),
      ("written", \.bytesWritten, true), ("write-backs", \.writeBacks, false), ("planes read", \.planeReads, false),
    ]
  }

  var rateSection: Section {
    let chartColumnCount = size.columnCount - Self.nameColumnCount - 2 * (Self.numberColumnCount + 1) - 2
    let title = line { line in
      line.append("PER SECOND", columnCount: Self.nameColumnCount, style.ink.strong)
      line.append(" ")
      line.append("NOW", columnCount: Self.numberColumnCount, isRight: true, style.ink.strong)
      line.append(" ")
      line.append("IN ALL", columnCount: Self.numberColumnCount, isRight: true, style.ink.strong)
      if chartColumnCount >= 8, !facts.history.isEmpty {
        line.append("  ")
        line.append(chartTitle(chartColumnCount), columnCount: chartColumnCount, isRight: true, style.ink.strong)
      }
    }
    let rows = Self.rates.map { rate in
      line { line in
        let now = facts.interval?.perSecond(rate.path)
        let total = facts.activity?.total[keyPath: rate.path]
        line.append(rate.name, columnCount: Self.nameColumnCount)
        line.append(" ")
        line.append(Self.text(now, isBytes: rate.isBytes), columnCount: Self.numberColumnCount, isRight: true)
        line.append(" ")
        line.append(
          total.map { rate.isBytes ? WatchNumber.bytes($0) : WatchNumber.count($0) } ?? "-",
          columnCount: Self.numberColumnCount, isRight: true, style.ink.faint)
        guard chartColumnCount >= 8 else { return }
        line.append("  ")
        line.append(
          style.sparkline(facts.history.map { $0.perSecond(rate.path) }, columnCount: chartColumnCount),
          rate.name == "misses" ? style.ink.caution : style.ink.name)
      }
    }
    return Section(title: title, rows: rows, leastHeight: 5)
  }

  /// "LAST 42 S": what the charts show.
  private func chartTitle(_ columnCount: Int) -> String {
    let seconds = facts.history.suffix(columnCount).reduce(0) { $0 + $1.seconds }
    return seconds < 120 ? "LAST \(Int(seconds.rounded())) S" : "LAST \(Int((seconds / 60).rounded())) MIN"
  }

  private static func text(_ rate: Double?, isBytes: Bool) -> String {
    guard let rate else { return "-" }
    return isBytes ? WatchNumber.bytes(UInt64(min(max(0, rate.rounded()), 1e18))) : WatchNumber.rate(rate)
  }

  // MARK: Processes

  var processSection: Section {
    let isWide = size.columnCount >= 74
    let nameWidth = isWide ? 17 : 13
    let barWidth = max(0, min(24, size.columnCount - (isWide ? 73 : 53)))
    let title = line { line in
      line.append("PROCESS", columnCount: nameWidth, style.ink.strong)
      line.append("PID", columnCount: 8, isRight: true, style.ink.strong)
      line.append("  ")
      line.append("MEMORY", columnCount: barWidth + (barWidth > 0 ? 1 : 0) + 22, style.ink.strong)
      for name in isWide ? ["PINNED", "DIRTY"] : [] {
        line.append(name, columnCount: 7, isRight: true, style.ink.strong)
      }
      line.append("OPEN", columnCount: isWide ? 9 : 7, isRight: true, style.ink.strong)
    }
    let alive = facts.processes.sorted { $0.updatedMicroseconds > $1.updatedMicroseconds }
    guard !alive.isEmpty else {
      let text = facts.activity == nil ? "none is known" : "none has the store open"
      return Section(title: title, rows: [line { $0.append(text, style.ink.faint) }], leastHeight: 2)
    }
    let rows = alive.map { process in
      line { line in
        let name = Answer.printable(process.name) + (process.isReadOnly ? " (reads)" : "")
        line.append(name, columnCount: nameWidth, style.ink.name)
        line.append(String(process.processID), columnCount: 8, isRight: true)
        line.append("  ")
        let (used, budget) = (Double(process.memoryBytes), Double(process.memoryBudgetBytes))
        if barWidth > 0 {
          line.append(style.bar(used, of: budget, columnCount: barWidth), columnCount: barWidth)
          line.append(" ")
        }
        line.append(
          "\(WatchNumber.bytes(process.memoryBytes)) of \(WatchNumber.bytes(process.memoryBudgetBytes))",
          columnCount: 22)
        for count in isWide ? [process.pinnedBlocks, process.dirtyBlocks] : [] {
          line.append(WatchNumber.count(count), columnCount: 7, isRight: true)
        }
        let age = WatchNumber.age(since: process.startedMicroseconds, now: facts.timeMicroseconds)
        line.append(" " + age, columnCount: isWide ? 9 : 7, isRight: true)
      }
    }
    return Section(title: title, rows: rows, leastHeight: 2)
  }

  // MARK: Sessions

  var sessionSection: Section {
    let title = facts.hasAllSessions ? "CHANGED LAST" : "CHANGED LAST (of those read so far)"
    return sessions(facts.sessions.recent, title)
  }

  /// Where there is room for another table, and more sessions than one shows.
  var largestSection: Section {
    let isRoom = size.rowCount >= 34 && facts.gauge.sessionCount > 1
    return sessions(isRoom ? Array(facts.sessions.largest.prefix(8)) : [], "LARGEST", limit: 8)
  }

  private func sessions(_ sessions: [ForemostSession], _ name: String, limit: Int = 8) -> Section {
    let nameWidth = max(8, size.columnCount - 3 * 13)
    let title = line { line in
      line.append(name, columnCount: nameWidth, style.ink.strong)
      for column in ["TOKENS", "ROWS", "CHANGED"] {
        line.append(column, columnCount: 13, isRight: true, style.ink.strong)
      }
    }
    let rows = sessions.prefix(limit).map { session in
      line { line in
        line.append(Answer.printable(session.name), columnCount: nameWidth, style.ink.name)
        line.append(WatchNumber.count(UInt64(max(0, session.tokenCount))), columnCount: 13, isRight: true)
        line.append(ByteSize(session.rowByteCount).description, columnCount: 13, isRight: true)
        line.append(
          WatchNumber.age(since: session.updatedMicroseconds, now: facts.timeMicroseconds), columnCount: 13,
          isRight: true)
      }
    }
    return Section(title: title, rows: Array(rows), leastHeight: 2)
  }
}
