import KVBlocks

/// When blocks were last used, and how many sessions hold them.
enum UseSection {
  static func section(_ statistics: StoreStatistics) -> PageFrame.Section {
    let now = Moments.text(statistics.ages.nowMicroseconds)
    return PageFrame.Section(
      "use", "Age and sharing of blocks", short: "Age", lead: lead(statistics),
      body: Figure.row([
        figure(
          "When blocks were last used", statistics.ages.bins.map { ($0.age.rawValue, $0.count) },
          note: "Counted back from \(now). What was used longest ago leaves first.", first: "Last use"),
        figure(
          "How many sessions hold a block", statistics.sharing.bins.map { (holders($0.sessions), $0.count) },
          note: "Blocks in no session are cache: the quota may delete them.", first: "Held by"),
      ]))
  }

  private static func lead(_ statistics: StoreStatistics) -> HTML {
    let all = statistics.compressedByteCount
    guard all > 0 else { return .empty }
    let shared = bytes(statistics.sharing.bins.filter { $0.sessions.lowerBound > 1 }.map(\.count))
    let old = bytes(statistics.ages.bins.filter { $0.age == .older }.map(\.count))
    return """
      \(Figures.share(shared, of: all)) of the frames’ bytes are held by more than one session, one block by \
      \(Figures.count(statistics.sharing.mostSessions)); \
      \(old == 0 ? "all were used within 30 days" : "\(Figures.share(old, of: all)) were not used for 30 days").
      """
  }

  private static func bytes(_ bins: [BinCount]) -> Int { bins.reduce(0) { $0 &+ $1.compressedByteCount } }

  /// "no session", "1 session", "4 to 7 sessions".
  static func holders(_ sessions: ClosedRange<Int>) -> String {
    if sessions.upperBound == 0 { return "no session" }
    if sessions.count == 1 { return Figures.count(sessions.lowerBound, "session") }
    return "\(Figures.count(sessions.lowerBound)) to \(Figures.count(sessions.upperBound)) sessions"
  }

  private static func figure(_ title: HTML, _ bins: [(name: String, count: BinCount)], note: HTML, first: HTML) -> HTML
  {
    let all = bytes(bins.map(\.count))
    let bars = bins.map { bin in
      let isEmpty = bin.count.blockCount == 0
      return BarList.Bar(
        "\(bin.name)", bin.count.compressedByteCount,
        figure: isEmpty ? "<span class=\"none\">–</span>" : Figures.html(bytes: bin.count.compressedByteCount),
        note: isEmpty ? "" : "\(Figures.count(bin.count.blockCount, "block"))")
    }
    var table = DataTable(
      title, [.text(first), .number("Blocks"), .number("Frames, bytes"), .number("Share of bytes")])
    for bin in bins {
      table.append([
        "\(bin.name)", Figures.html(count: bin.count.blockCount), Figures.html(count: bin.count.compressedByteCount),
        "\(Figures.share(bin.count.compressedByteCount, of: all))",
      ])
    }
    return Figure.html(title, note: note, drawing: BarList(bars, isCompact: true).html, table: table.html)
  }
}
