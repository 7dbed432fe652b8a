import KVInspection
import KVPager

/// The prefix tree as lines: figures in columns, the tree to their right.
struct TreeDrawing {
  /// The characters that branches are drawn with.
  struct Branches {
    let inner: String
    let last: String
    let passing: String
    let times: String
    let ellipsis: String

    init(isUTF8: Bool) {
      inner = isUTF8 ? "├─ " : "|- "
      last = isUTF8 ? "└─ " : "`- "
      passing = isUTF8 ? "│  " : "|  "
      times = isUTF8 ? "×" : "x"
      ellipsis = isUTF8 ? "…" : "..."
    }
  }

  private let branches: Branches
  private let ink: Ink
  private let columnCount: Int
  private var rows: [(figures: [String], drawing: String, text: String?)] = []

  private static let titles = ["SIZE", "SHARE", "TOKENS", "SESSIONS", "LAST USED"]

  init(_ tree: PrefixTree, terminal: Terminal = .output, ink: Ink = .output) {
    branches = Branches(isUTF8: terminal.isUTF8)
    self.ink = ink
    columnCount = terminal.columnCount
    for space in tree.spaces { add(space) }
  }

  private mutating func add(_ space: PrefixTree.Space) {
    var label = ink.strong("space \(space.id)") + ", \(Answer.printable(space.model))"
    if space.emptySessionCount > 0 { label += ", \(Answer.count(space.emptySessionCount, "session")) without tokens" }
    if space.lostSessionCount > 0 {
      label += ", " + ink.bad("\(Answer.count(space.lostSessionCount, "session")) not whole")
    }
    rows.append(
      (Self.figures(space.amount, space.share, space.amount.tokenCount, space.sessionCount, nil), label, nil))
    add(space.children, space.other, indent: "")
  }

  /// No deeper than the answer, which has a limit.
  private mutating func add(_ children: [PrefixTree.Node], _ other: PrefixTree.Other?, indent: String) {
    for (place, node) in children.enumerated() {
      let isLast = place == children.count - 1 && other == nil
      rows.append(
        (
          Self.figures(
            node.subtree, node.share, node.own.tokenCount, node.sessionCount, node.lastUseMicroseconds),
          indent + (isLast ? branches.last : branches.inner) + label(node), node.text
        ))
      add(node.children, node.other, indent: indent + (isLast ? "   " : branches.passing))
    }
    guard let other else { return }
    let blocks = Answer.count(other.amount.blockCount, "block", isGrouped: true)
    rows.append(
      (
        Self.figures(other.amount, nil, other.amount.tokenCount, other.sessionCount, nil),
        indent + branches.last
          + ink.faint("and \(Decimal.grouped(other.childCount)) more, \(blocks)"), nil
      ))
  }

  private func label(_ node: PrefixTree.Node) -> String {
    var label = ink.name(String(node.last.description.prefix(8)))
    if node.own.blockCount > 1 { label += " \(branches.times)\(node.own.blockCount)" }
    if node.isStray { label += " " + ink.bad("stray: its parent is not stored") }
    let names = node.endingSessions.prefix(Self.nameCount).map { Answer.printable($0) }
    if !names.isEmpty { label += "  " + names.map(ink.strong).joined(separator: ", ") }
    if node.endingSessionCount > names.count {
      label += ", \(Decimal.grouped(node.endingSessionCount - names.count)) more"
    }
    return label
  }

  private static let nameCount = 3

  private static func figures(
    _ amount: PrefixTree.Amount, _ share: Double?, _ tokenCount: Int, _ sessionCount: Int, _ lastUse: UInt64?
  ) -> [String] {
    [
      ByteSize(amount.frameByteCount).description, share.map(Self.percentage) ?? "",
      Decimal.grouped(tokenCount), Decimal.grouped(sessionCount),
      lastUse.map { Timestamp(microseconds: $0).localDay } ?? "",
    ]
  }

  private static func percentage(_ share: Double) -> String {
    share > 0 && share < 0.005 ? "<1%" : Decimal.text(100 * share, digits: 0) + "%"
  }

  /// All lines, each with its line end.
  var text: String {
    let titles = Self.titles
    let widths = titles.indices.map { column in
      (rows.map { $0.figures[column].count } + [titles[column].count]).max() ?? 0
    }
    func line(_ figures: [String], _ drawing: String) -> String {
      var line = ""
      for (column, figure) in figures.enumerated() {
        line += String(repeating: " ", count: widths[column] - figure.count) + figure + "  "
      }
      return line + drawing
    }
    var text = line(titles, "PREFIX") + "\n"
    for row in rows {
      var whole = line(row.figures, row.drawing)
      if let words = row.text {
        let rest = max(columnCount - Ink.width(of: whole) - 2, 16)
        whole += "  " + ink.faint(Snippet.quoted(words, columnCount: rest, ellipsis: branches.ellipsis))
      }
      text += whole + "\n"
    }
    return text
  }
}
