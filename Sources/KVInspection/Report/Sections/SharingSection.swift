import KVBlocks

/// Which sessions have a beginning in common.
enum SharingSection {
  private static let pairLimit = 100

  struct Pair {
    var a: SharedPrefixes.Member
    var b: SharedPrefixes.Member
    var tokenCount: Int
  }

  static func section(_ sharing: SharedPrefixes) -> PageFrame.Section {
    let title: HTML = "Sessions that begin alike"
    guard sharing.members.count > 1 else {
      return PageFrame.Section(
        "sharing", title, short: "Sharing", body: Figure.nothing("There are no two sessions to compare."))
    }
    let pairs = pairs(sharing)
    let count = sharing.members.count
    let limit: HTML =
      count < sharing.sessionCount
      ? """
       Shown are the \(Figures.count(count)) sessions that take most; the other \
      \(Figures.count(sharing.sessionCount - count)) are not compared.
      """ : ""
    return PageFrame.Section(
      "sharing", title, short: "Sharing", lead: lead(pairs),
      body: Figure.html(
        "Tokens in common, of each pair",
        note: """
          Blocks that both sessions hold, from their beginning on: they are stored once. Ordered so that relatives \
          lie together.\(limit)
          """,
        drawing: matrix(sharing).html
          + Steps.legend("none", "all of the shorter session’s tokens in common"),
        table: table(pairs).html, tableTitle: "The pairs as a table"))
  }

  static func share(_ common: Int, _ a: SharedPrefixes.Member, _ b: SharedPrefixes.Member) -> Double {
    let shorter = min(a.tokenCount, b.tokenCount)
    return shorter > 0 ? min(1, Double(common) / Double(shorter)) : 0
  }

  static func pairs(_ sharing: SharedPrefixes) -> [Pair] {
    var pairs: [Pair] = []
    for row in sharing.members.indices {
      for column in sharing.members.indices.dropFirst(row + 1) where sharing.tokenCounts[row][column] > 0 {
        pairs.append(
          Pair(a: sharing.members[row], b: sharing.members[column], tokenCount: sharing.tokenCounts[row][column]))
      }
    }
    return pairs.enumerated().sorted { a, b in
      a.element.tokenCount != b.element.tokenCount
        ? a.element.tokenCount > b.element.tokenCount : a.offset < b.offset
    }.map(\.element)
  }

  private static func lead(_ pairs: [Pair]) -> HTML {
    guard let best = pairs.first else { return "None of them share a block." }
    return """
      \(StoreText.html(best.a.name, limit: 40)) and \(StoreText.html(best.b.name, limit: 40)) have most in common: \
      their first \(Figures.count(best.tokenCount, "token")).
      """
  }

  private static func matrix(_ sharing: SharedPrefixes) -> PairMatrix {
    let members = sharing.members
    let names = members.map { $0.name }
    return PairMatrix(
      names, title: "A square of \(names.count) by \(names.count) sessions. The table below has its pairs."
    ) {
      row, column in
      let (a, b, common) = (members[row], members[column], sharing.tokenCounts[row][column])
      let (first, second) = (StoreText.visible(a.name, limit: 60), StoreText.visible(b.name, limit: 60))
      let text =
        row == column
        ? "\(first): \(Figures.count(common, "token"))"
        : "\(first) and \(second): \(Figures.count(common, "token")) in common"
      return PairMatrix.Cell(share: share(common, a, b), facts: text, figure: Figures.count(common))
    }
  }

  private static func table(_ pairs: [Pair]) -> DataTable {
    let shown = pairs.prefix(pairLimit)
    let caption: HTML =
      shown.count < pairs.count
      ? "The \(Figures.count(shown.count)) of \(Figures.count(pairs.count)) pairs that have most in common"
      : "All pairs that have something in common"
    var table = DataTable(
      caption,
      [.text("Session"), .text("And"), .number("Space"), .number("Tokens in common"), .number("Of the shorter one")],
      isSortable: true)
    for pair in shown {
      let shorter = min(pair.a.tokenCount, pair.b.tokenCount)
      table.append([
        StoreText.html(pair.a.name), StoreText.html(pair.b.name),
        Figures.html(Int(pair.a.space.rawValue), pair.a.space.description), Figures.html(count: pair.tokenCount),
        Figures.html(Int(share(pair.tokenCount, pair.a, pair.b) * 1000), Figures.share(pair.tokenCount, of: shorter)),
      ])
    }
    return table
  }
}
