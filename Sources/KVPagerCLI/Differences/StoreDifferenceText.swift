import KVInspection
import KVPager

/// What two stores have in common, for people.
struct StoreDifferenceText {
  private let comparison: StoreComparison
  private let ink: Ink
  /// Sessions of a kind that are listed; the others are counted.
  private static let sessionLimit = 30

  init(_ comparison: StoreComparison, ink: Ink = .output) {
    self.comparison = comparison
    self.ink = ink
  }

  var text: String {
    var facts = FactList()
    facts.add("A", side(comparison.a))
    facts.add("B", side(comparison.b))
    let common = comparison.spaces.reduce(0) { $0 + $1.commonBlockCount }
    facts.add(
      "sessions",
      "\(comparison.equalSessionCount) the same, \(comparison.changed.count) changed, "
        + "\(comparison.onlyInA.count) only in A, \(comparison.onlyInB.count) only in B")
    facts.add(
      "blocks",
      "\(common) in both, \(comparison.a.blockCount - common) only in A, \(comparison.b.blockCount - common) only in B")
    if comparison.isDeep {
      let different = comparison.spaces.reduce(0) { $0 + $1.differentBlockCount }
      let compared = comparison.spaces.reduce(0) { $0 + $1.comparedBlockCount }
      facts.add(
        "rows",
        different == 0
          ? "those of \(Answer.count(compared, "block")) in both are the same"
          : ink.bad("those of \(Answer.count(different, "block")) of \(compared) in both differ or cannot be read"))
    }
    return facts.text + "\n" + spaces + sessions + (comparison.isEqual ? ink.good("equal") : ink.bad("different"))
      + "\n"
  }

  private func side(_ side: StoreComparison.Side) -> String {
    "\(Answer.printable(side.path)): \(Answer.count(side.sessionCount, "session")), "
      + "\(Answer.count(side.blockCount, "block")), file \(ByteSize(side.fileByteCount))"
  }

  private var spaces: String {
    guard !comparison.spaces.isEmpty else { return "" }
    var table = TextTable([
      ("MODEL", .left), ("SPACE IN A", .right), ("IN B", .right), ("BLOCKS IN BOTH", .right), ("ONLY IN A", .right),
      ("ONLY IN B", .right),
    ])
    for space in comparison.spaces {
      table.append([
        Answer.printable(space.model), space.a?.description ?? "-", space.b?.description ?? "-",
        String(space.commonBlockCount), String(space.blockCountA - space.commonBlockCount),
        String(space.blockCountB - space.commonBlockCount),
      ])
    }
    return table.text + "\n"
  }

  private var sessions: String {
    func place(_ session: StoreComparison.Session) -> String {
      "\(ink.name(Answer.printable(session.name))) (space \(session.space), "
        + "\(Answer.count(session.tokenCount, "token")))"
    }
    var lines = list("only in A:  ", comparison.onlyInA.map(place))
    lines += list("only in B:  ", comparison.onlyInB.map(place))
    lines += list(
      "changed:    ",
      comparison.changed.map { change in
        let tokens =
          change.a.tokenCount == change.commonTokenCount && change.b.tokenCount == change.commonTokenCount
          ? Answer.count(change.commonTokenCount, "token")
          : "\(change.a.tokenCount) and \(change.b.tokenCount) tokens, the first \(change.commonTokenCount) the same"
        return "\(ink.name(Answer.printable(change.a.name))) (\(tokens)): "
          + change.differences.joined(separator: ", ")
      })
    return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n\n"
  }

  private func list(_ title: String, _ items: [String]) -> [String] {
    var lines = items.prefix(Self.sessionLimit).map { title + $0 }
    let rest = items.count - Self.sessionLimit
    if rest > 0 { lines.append("\(title)and \(rest) more; --json lists all") }
    return lines
  }
}
