import KVInspection

/// A look as one line of a log, under a line of titles.
enum WatchLine {
  private static let columns: [(title: String, width: Int)] = [
    ("TIME", 8), ("HIT NOW", 8), ("HIT ALL", 8), ("RAM/S", 8), ("DISK/S", 8), ("MISS/S", 8), ("LOAD/S", 8),
    ("EVICT/S", 8), ("COMMIT/S", 9), ("WRITTEN/S", 10), ("MEMORY", 10), ("USED", 10), ("SESSIONS", 10), ("OPEN", 5),
  ]

  static var title: String { text(columns.map(\.title)) }

  static func text(_ facts: WatchFacts) -> String {
    func rate(_ count: KeyPath<ActivityCounters, UInt64>) -> String {
      facts.interval.map { WatchNumber.rate($0.perSecond(count)) } ?? "-"
    }
    let written = facts.interval.map { WatchNumber.bytes(UInt64(max(0, min(1e18, $0.perSecond(\.bytesWritten))))) }
    let memory = facts.processes.reduce(UInt64(0)) { $0 &+ $1.memoryBytes }
    return text([
      Timestamp(microseconds: facts.timeMicroseconds).localTime,
      WatchNumber.percent(facts.interval?.counters.hitRate), WatchNumber.percent(facts.activity?.total.hitRate),
      rate(\.memoryHits), rate(\.diskHits), rate(\.misses), rate(\.loads), rate(\.evictions), rate(\.sessionCommits),
      written ?? "-", WatchNumber.bytes(memory), ByteSize(facts.gauge.usedByteCount).description,
      Decimal.grouped(facts.gauge.sessionCount), String(facts.processes.count),
    ])
  }

  private static func text(_ cells: [String]) -> String {
    var line = ""
    for (cell, column) in zip(cells, columns) {
      if !line.isEmpty { line += " " }
      line += String(repeating: " ", count: max(0, column.width - cell.count)) + cell
    }
    return line
  }
}
