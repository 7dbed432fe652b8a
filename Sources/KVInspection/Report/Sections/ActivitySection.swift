import KVBlocks
import KVDiskTier

/// What processes do, and did, with the store.
enum ActivitySection {
  static func section(_ activity: StoreActivity?, now: UInt64) -> PageFrame.Section {
    let title: HTML = "Activity"
    guard let activity else {
      return PageFrame.Section(
        "activity", title,
        body: Figure.nothing(
          """
          Nobody told: the store was not in use since it counts what is done with it, or this is a copy without its \
          file <code>activity</code>.
          """))
    }
    return PageFrame.Section(
      "activity", title, lead: lead(activity, now: now),
      body: Figure.row([found(activity.total), work(activity.total)]) + processes(activity, now: now))
  }

  private static func lead(_ activity: StoreActivity, now: UInt64) -> HTML {
    let live = activity.processes.count(where: \.isAlive)
    let open: HTML = live == 0 ? "Nobody has" : live == 1 ? "One process has" : "\(Figures.count(live)) processes have"
    let total = activity.total
    let asked = total.memoryHits &+ total.diskHits &+ total.misses
    let hits: HTML =
      asked == 0
      ? "No block was asked for yet."
      : """
      Of the \(Figures.count(Int(clamping: asked), "block")) asked for, \
      \(Figures.share(Int(clamping: total.memoryHits &+ total.diskHits), of: Int(clamping: asked))) were found.
      """
    return "\(open) the store open. \(hits) Counted since \(Moments.html(activity.sinceMicroseconds))."
  }

  private static func found(_ total: StoreActivity.Counters) -> HTML {
    let bar = StackedBar(
      [
        .init("In memory", Int(clamping: total.memoryHits), fill: .first, note: "leased where they lay"),
        .init("On disk", Int(clamping: total.diskHits), fill: .third, note: "loaded, checked, decoded"),
        .init("Nowhere", Int(clamping: total.misses), fill: .hatched, note: "the engine computed them"),
      ]
    ) { Figures.html(count: $0) }
    return Figure.html("Where blocks were found", note: "Blocks that were looked up.", drawing: bar.html)
  }

  private static func work(_ total: StoreActivity.Counters) -> HTML {
    var table = DataTable("Counts", [.text("What"), .number("Count")])
    let rows: [(HTML, HTML)] = [
      ("Blocks loaded from disk", Figures.html(count: total.loads)),
      ("Planes read from disk alone", Figures.html(count: total.planeReads)),
      ("Blocks evicted from memory", Figures.html(count: total.evictions)),
      ("Blocks written back", Figures.html(count: total.writeBacks)),
      ("Frames written", Figures.html(bytes: Int(clamping: total.bytesWritten))),
      ("Transactions that wrote", Figures.html(count: total.transactions)),
      ("Session commits", Figures.html(count: total.sessionCommits)),
      ("Blocks deleted by the quota", Figures.html(count: total.quotaDeletions)),
      ("Loads that found damage", Figures.html(count: total.damagedLoads)),
    ]
    for row in rows { table.append([row.0, row.1]) }
    return Figure.html("What was done", drawing: table.html)
  }

  private static func processes(_ activity: StoreActivity, now: UInt64) -> HTML {
    guard !activity.processes.isEmpty else { return .empty }
    var table = DataTable(
      "Processes that have the store open, or ended without closing it",
      [
        .text("Program"), .number("Process"), .text("State"), .text("Since"), .number("Memory"), .number("Budget"),
        .number("Blocks in memory"), .number("Hits"), .number("Misses"), .number("Loads"), .number("Evictions"),
      ], isSortable: true)
    for process in activity.processes {
      let counters = process.counters
      table.append([
        StoreText.html(process.name), Figures.html(Int(process.processID), String(process.processID)),
        process.isAlive ? (process.isReadOnly ? "reads" : "in use") : "ended unclosed",
        Moments.html(process.startedMicroseconds), Figures.html(bytes: Int(clamping: process.memoryBytes)),
        Figures.html(bytes: Int(clamping: process.memoryBudgetBytes)), Figures.html(count: process.residentBlocks),
        Figures.html(count: counters.memoryHits &+ counters.diskHits), Figures.html(count: counters.misses),
        Figures.html(count: counters.loads), Figures.html(count: counters.evictions),
      ])
    }
    return Figure.html("By process", drawing: table.html)
  }
}
