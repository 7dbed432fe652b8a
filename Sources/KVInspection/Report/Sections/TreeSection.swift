import KVBlocks

/// The prefix tree: who begins with what, and what it takes.
enum TreeSection {
  private static let tableLimit = 100

  static func section(_ tree: PrefixTree, _ options: ReportOptions) -> PageFrame.Section {
    let most = max(1, runs(tree).map(\.node.sessionCount).max() ?? 1)
    let root = Icicle.Node(
      "whole store",
      facts: facts(
        "The whole store", tree.amount, sessions: tree.sessionCount, more: []),
      weight: tree.amount.frameByteCount, fill: .plain, children: tree.spaces.map { node($0, most: most) })
    guard tree.amount.blockCount > 0 else {
      return PageFrame.Section(
        "tree", "Prefix tree", short: "Tree", body: Figure.nothing("The store holds no block yet."))
    }
    let icicle = Icicle(
      root, title: "The store’s prefix tree, by bytes of frames. Its boxes are listed in the table below.",
      legend: Steps.legend("1 session", "\(Figures.count(most, "session")) through it", from: Steps.firstOfCounts)
        + patterns)
    return PageFrame.Section(
      "tree", "Prefix tree", short: "Tree", lead: lead(tree),
      body: Figure.html(
        "Stored prefixes, as wide as what they take",
        note: """
          Each box is a run of blocks; below it lies what continues it. Up to \(options.depth) levels below a space \
          and \(ReportOptions.treeWidth) continuations of a box are drawn, the largest; the rest is summed up.
          """,
        drawing: icicle.html, table: table(tree).html, tableTitle: "The largest runs as a table"))
  }

  private static let patterns: HTML = """
    <p class="legend"><svg aria-hidden="true" width="28" height="12">\
    <rect class="hatched" width="28" height="12"/></svg>\
    <span>in no session, or smaller runs summed up</span></p>

    """

  private static func lead(_ tree: PrefixTree) -> HTML {
    let shared = runs(tree).filter { $0.node.sessionCount > 1 }
    guard let best = shared.max(by: { saved($0.node) < saved($1.node) }) else {
      return "No two sessions begin alike: nothing is shared."
    }
    let node = best.node
    return """
      What saves most: \(Figures.count(node.own.tokenCount, "token")) \
      \(node.tokenOffset == 0 ? "at the beginning" : "from token \(Figures.count(node.tokenOffset)) on") of \
      \(Figures.count(node.sessionCount, "session")) in space \(best.space.id.description), stored once: \
      \(Figures.bytes(saved(node))) of rows less.
      """
  }

  private static func saved(_ node: PrefixTree.Node) -> Int { (node.sessionCount - 1) &* node.own.rowByteCount }

  // MARK: Boxes

  private static func node(_ space: PrefixTree.Space, most: Int) -> Icicle.Node {
    let model = StoreText.visible(space.model)
    let more = [
      space.emptySessionCount > 0 ? "\(Figures.count(space.emptySessionCount, "session")) without a token" : "",
      space.lostSessionCount > 0
        ? "\(Figures.count(space.lostSessionCount, "session")) with a last block that is gone" : "",
    ]
    return Icicle.Node(
      "space \(space.id): \(model)",
      facts: facts("Space \(space.id): \(model)", space.amount, sessions: space.sessionCount, more: more),
      weight: space.amount.frameByteCount, fill: .plain,
      children: space.children.map { node($0, most: most) } + rest(space.other))
  }

  private static func node(_ node: PrefixTree.Node, most: Int) -> Icicle.Node {
    let names = node.endingSessions.map { StoreText.visible($0, limit: 60) }
    let label: String
    if let text = node.text, !text.isEmpty {
      label = StoreText.visible(text)
    } else if names.count == 1, node.sessionCount == 1 {
      label = names[0]
    } else {
      label = "\(Figures.count(node.own.tokenCount, "token")), \(sessions(node.sessionCount))"
    }
    let span = "Tokens \(Figures.count(node.tokenOffset)) to \(Figures.count(node.tokenOffset + node.own.tokenCount))"
    let unnamed = node.endingSessionCount - names.count
    let ends =
      names.isEmpty
      ? "" : "Ends here: " + names.joined(separator: ", ") + (unnamed > 0 ? " and \(Figures.count(unnamed)) more" : "")
    let own =
      node.children.isEmpty && node.other == nil
      ? "" : "The run itself: \(amount(node.own)); with all that continues it:"
    return Icicle.Node(
      label,
      facts: facts(
        node.text.map { "\(span): \(StoreText.visible($0, limit: 160))" } ?? span, node.subtree,
        sessions: node.sessionCount,
        more: [ends, node.isStray ? "Its beginning is not stored" : ""], before: own),
      weight: node.subtree.frameByteCount,
      fill: node.sessionCount == 0 ? .hatched : .step(Steps.step(count: node.sessionCount, to: most)),
      children: node.children.map { self.node($0, most: most) } + rest(node.other))
  }

  private static func rest(_ other: PrefixTree.Other?) -> [Icicle.Node] {
    guard let other, other.childCount > 0 else { return [] }
    return [
      Icicle.Node(
        "\(Figures.count(other.childCount)) smaller",
        facts: facts(
          "\(Figures.count(other.childCount, "continuation")) summed up", other.amount, sessions: other.sessionCount,
          more: []),
        weight: other.amount.frameByteCount, fill: .hatched)
    ]
  }

  private static func sessions(_ count: Int) -> String { count == 0 ? "no session" : Figures.count(count, "session") }

  private static func amount(_ amount: PrefixTree.Amount) -> String {
    "\(Figures.count(amount.tokenCount, "token")), \(Figures.count(amount.blockCount, "block")), "
      + "\(Figures.bytes(amount.rowByteCount)) of rows in \(Figures.bytes(amount.frameByteCount)) of frames"
  }

  private static func facts(
    _ title: String, _ amount: PrefixTree.Amount, sessions count: Int, more: [String], before: String = ""
  ) -> String {
    let lines = [title + " – " + sessions(count), before, self.amount(amount)] + more
    return lines.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  // MARK: The table

  private static func runs(_ tree: PrefixTree) -> [(space: PrefixTree.Space, node: PrefixTree.Node)] {
    var result: [(space: PrefixTree.Space, node: PrefixTree.Node)] = []
    func visit(_ node: PrefixTree.Node, _ space: PrefixTree.Space) {
      result.append((space, node))
      for child in node.children { visit(child, space) }
    }
    for space in tree.spaces { for child in space.children { visit(child, space) } }
    return result
  }

  private static func table(_ tree: PrefixTree) -> DataTable {
    let all = runs(tree).sorted { a, b in
      a.node.own.frameByteCount != b.node.own.frameByteCount
        ? a.node.own.frameByteCount > b.node.own.frameByteCount : a.node.tokenOffset < b.node.tokenOffset
    }
    let shown = all.prefix(tableLimit)
    let caption: HTML =
      shown.count < all.count
      ? "The \(Figures.count(shown.count)) largest of \(Figures.count(all.count)) runs drawn" : "All runs drawn"
    var table = DataTable(
      caption,
      [
        .text("Run ends in block"), .number("Space"), .number("From token"), .number("Tokens"), .number("Blocks"),
        .number("Sessions"), .number("Frames"), .number("With what follows"), .text("Ends here"),
      ], isSortable: true)
    for (space, node) in shown {
      let names = node.endingSessions.prefix(3).map { StoreText.html($0, limit: 40) }.joined(", ")
      let more = node.endingSessionCount - min(3, node.endingSessions.count)
      table.append([
        "<code>\(node.last.shortDescription)</code>", Figures.html(Int(space.id.rawValue), space.id.description),
        Figures.html(count: node.tokenOffset), Figures.html(count: node.own.tokenCount),
        Figures.html(count: node.own.blockCount), Figures.html(count: node.sessionCount),
        Figures.html(bytes: node.own.frameByteCount), Figures.html(bytes: node.subtree.frameByteCount),
        more > 0 && !names.isEmpty ? "\(names) and \(Figures.count(more)) more" : names,
      ])
    }
    return table
  }
}
