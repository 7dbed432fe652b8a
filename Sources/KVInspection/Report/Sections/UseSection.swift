/// When blocks were last used, and how many sessions hold them.
enum UseSection {
  static func section(_ use: BlockUse, now: UInt64) -> PageFrame.Section {
    PageFrame.Section(
      "use", "Age and sharing of blocks", short: "Age", lead: lead(use),
      body: Figure.row([
        figure(
          "When blocks were last used", use.ages,
          note: "Counted back from \(Moments.text(now)). What was used longest ago leaves first.", first: "Last use"),
        figure(
          "How many sessions hold a block", use.holders,
          note: "Blocks in no session are cache: the quota may delete them.", first: "Held by"),
      ]))
  }

  private static func lead(_ use: BlockUse) -> HTML {
    let all = use.ages.reduce(0) { $0 + $1.frameByteCount }
    guard all > 0 else { return .empty }
    let shared = use.holders.dropFirst(2).reduce(0) { $0 + $1.frameByteCount }
    let old = use.ages.suffix(2).reduce(0) { $0 + $1.frameByteCount }
    return """
      \(Figures.share(shared, of: all)) of the frames’ bytes are held by more than one session; \
      \(Figures.share(old, of: all)) were not used for 30 days.
      """
  }

  private static func figure(_ title: HTML, _ bins: [BlockUse.Bin], note: HTML, first: HTML) -> HTML {
    let all = bins.reduce(0) { $0 + $1.frameByteCount }
    let bars = bins.map { bin in
      BarList.Bar(
        "\(bin.title)", bin.frameByteCount,
        figure: bin.blockCount == 0 ? "<span class=\"none\">–</span>" : Figures.html(bytes: bin.frameByteCount),
        note: bin.blockCount == 0 ? "" : "\(Figures.count(bin.blockCount, "block"))")
    }
    var table = DataTable(
      title, [.text(first), .number("Blocks"), .number("Frames, bytes"), .number("Share of bytes")])
    for bin in bins {
      table.append([
        "\(bin.title)", Figures.html(count: bin.blockCount), Figures.html(count: bin.frameByteCount),
        "\(Figures.share(bin.frameByteCount, of: all))",
      ])
    }
    return Figure.html(title, note: note, drawing: BarList(bars, isCompact: true).html, table: table.html)
  }
}
