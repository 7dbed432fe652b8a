/// Where the bytes go: from what the sessions see down to the file, and what the file is made of.
enum BytesSection {
  /// A step on the way to the file.
  struct Step {
    var name: HTML
    var means: HTML
    var figure: String
    var value: Int
    var before: Int?
    /// What made the difference: "sharing".
    var by: HTML
  }

  static func steps(_ statistics: StoreStatistics) -> [Step] {
    var steps = [
      Step(
        name: "As sessions see it", means: "rows of all sessions’ blocks, each session counted alone",
        figure: "bytes.logical", value: statistics.logicalByteCount, by: ""),
      Step(
        name: "Stored once", means: "rows of all blocks in the store", figure: "bytes.unique",
        value: statistics.uniqueByteCount, by: "sharing"),
      Step(
        name: "Compressed", means: "frames of all blocks", figure: "bytes.compressed",
        value: statistics.compressedByteCount, by: "the codec"),
      Step(
        name: "On disk", means: "the file’s pages in use, all tables", figure: "bytes.disk",
        value: statistics.diskByteCount, by: "tables and padding"),
      Step(
        name: "The file", means: "with pages that wait to be used again", figure: "bytes.file",
        value: statistics.fileByteCount, by: "free pages"),
    ]
    for index in 1..<steps.count { steps[index].before = steps[index - 1].value }
    return steps
  }

  static func section(_ statistics: StoreStatistics, _ file: FileComposition?) -> PageFrame.Section {
    let steps = steps(statistics)
    var figures = [
      Figure.html(
        "From the sessions to the file",
        note: "Hatched: what a step saved. Orange, at the end: what it added.",
        drawing: BarList(steps.map(bar)).html, table: table(steps).html)
    ]
    if let file { figures.append(composition(file)) }
    return PageFrame.Section(
      "bytes", "Where the bytes go", short: "Bytes", lead: lead(statistics), body: figures.joined())
  }

  private static func lead(_ statistics: StoreStatistics) -> HTML {
    let (logical, unique) = (statistics.logicalByteCount, statistics.uniqueByteCount)
    guard statistics.uniqueBlockCount > 0 else { return "The store holds no block yet." }
    let sessions = "\(Figures.count(statistics.sessionCount, "session"))"
    let unreferenced = statistics.deletableBlockCount
    let cache: HTML =
      unreferenced > 0
      ? " Of the blocks, \(Figures.count(unreferenced)) are in no session: cache, which the quota may delete." : ""
    return """
      \(sessions) see \(Figures.bytes(logical)) of keys and values. Stored once they are \(Figures.bytes(unique)) \
      (\(Figures.factor(logical, unique))), compressed \(Figures.bytes(statistics.compressedByteCount)) \
      (\(Figures.factor(unique, statistics.compressedByteCount))).\(cache)
      """
  }

  private static func bar(_ step: Step) -> BarList.Bar {
    BarList.Bar(
      step.name, detail: step.means, step.value, before: step.before,
      figure: Figures.html(step.value, Figures.bytes(step.value), named: step.figure), note: change(step))
  }

  /// "3.30 × less by sharing", "1.02 × more by tables and padding".
  static func change(_ step: Step) -> HTML {
    guard let before = step.before, before > 0, step.value > 0 else { return .empty }
    if before == step.value { return "as much" }
    return step.value < before
      ? "\(Figures.factor(before, step.value)) less by \(step.by)"
      : "\(Figures.factor(step.value, before)) more by \(step.by)"
  }

  private static func table(_ steps: [Step]) -> DataTable {
    var table = DataTable(
      "Bytes at each step", [.text("Step"), .number("Bytes"), .number("Size"), .text("Change")])
    for step in steps {
      table.append([
        "\(step.name): \(step.means)", Figures.html(count: step.value), "\(Figures.bytes(step.value))", change(step),
      ])
    }
    return table
  }

  private static func composition(_ file: FileComposition) -> HTML {
    let bar = StackedBar(
      [
        .init("Frames of blocks", file.frameByteCount, fill: .first, note: "compressed keys and values"),
        .init("Checkpoints", file.checkpointByteCount, fill: .second, note: "opaque engine state"),
        .init("Session bodies", file.sessionBodyByteCount, fill: .third, note: "tokens and block tables in extents"),
        .init("Padding", file.paddingByteCount, fill: .hatched, note: "rest of the extents’ last pages, headers"),
        .init("Tree pages", file.treeByteCount, fill: .fourth, note: "records of blocks and sessions, LMDB’s own"),
        .init("Free pages", file.freeByteCount, fill: .empty, note: "the next writes take them first"),
        .init("Unreachable pages", file.unreachableByteCount, fill: .dotted, note: "nothing leads to them"),
      ].filter { $0.value > 0 || $0.fill == .first }
    ) { Figures.html(bytes: $0) }
    var table = DataTable(
      "What the file is made of", [.text("Part"), .number("Bytes"), .number("Size"), .number("Share")])
    for part in bar.parts {
      table.append([
        part.name, Figures.html(count: part.value), "\(Figures.bytes(part.value))",
        "\(Figures.share(part.value, of: bar.total))",
      ])
    }
    table.setTotal(["The file", Figures.html(count: bar.total), "\(Figures.bytes(bar.total))", "100 %"])
    return Figure.html(
      "What the file is made of", note: "All \(Figures.bytes(bar.total)), each byte counted once.", drawing: bar.html,
      table: table.html)
  }
}
