import KVInspection
import KVPager

/// What two sessions have in common, for people.
struct SessionDifferenceText {
  private let comparison: SessionComparison
  private let ink: Ink
  /// Planes that are listed; the others are counted.
  private static let planeLimit = 16

  init(_ comparison: SessionComparison, ink: Ink = .output) {
    self.comparison = comparison
    self.ink = ink
  }

  var text: String {
    var facts = FactList()
    facts.add("A", side(comparison.a))
    facts.add("B", side(comparison.b))
    if !comparison.spaceDifferences.isEmpty {
      let names = comparison.spaceDifferences.map(Answer.printable).joined(separator: ", ")
      facts.add("spaces", ink.caution("not the same: \(names)"))
    }
    facts.add("tokens", tokens)
    facts.add("blocks", blocks)
    if comparison.commonTokenCount > 0 { facts.add("rows", rows) }
    if let largest { facts.add("largest", largest) }
    if comparison.a.checkpointByteCount + comparison.b.checkpointByteCount > 0 {
      facts.add("checkpoint", comparison.hasEqualCheckpoints ? "the same" : ink.bad("not the same"))
    }
    if !comparison.metadataDifferences.isEmpty {
      let names = comparison.metadataDifferences.map(Answer.printable).joined(separator: ", ")
      facts.add("metadata", ink.bad("not the same: \(names)"))
    }
    return facts.text + planes + (comparison.isEqual ? ink.good("equal") : ink.bad("different")) + "\n"
  }

  private func side(_ side: SessionComparison.Side) -> String {
    "\(Answer.printable(side.name)) in \(Answer.printable(side.path)), space \(side.space): "
      + "\(Answer.count(side.tokenCount, "token")) in \(Answer.count(side.blockCount, "block"))"
  }

  private var tokens: String {
    guard let place = comparison.firstToken else { return "all \(comparison.commonTokenCount) are the same" }
    let common = Self.common(comparison.commonTokenCount)
    switch (place.a, place.b) {
    case (let a?, let b?): return "\(common); token \(place.index) is \(a) in A, \(b) in B"
    case (_?, nil): return "\(common); B ends there, A has \(comparison.a.tokenCount - place.index) more"
    default: return "\(common); A ends there, B has \(comparison.b.tokenCount - place.index) more"
    }
  }

  private var blocks: String {
    guard let place = comparison.firstBlock else { return "all \(comparison.commonBlockCount) are the same" }
    guard comparison.spaceDifferences.isEmpty else { return "none in common: the two lie in two spaces" }
    func name(_ hash: BlockHash?) -> String { hash.map { ink.name(String($0.description.prefix(8))) } ?? "none" }
    return "\(Self.common(comparison.commonBlockCount)); block \(place.index) is \(name(place.a)) in A, "
      + "\(name(place.b)) in B"
  }

  private static func common(_ count: Int) -> String {
    switch count {
    case 0: "none in common"
    case 1: "the first is the same"
    default: "the first \(count) are the same"
    }
  }

  private var rows: String {
    let rows = comparison.rows
    var parts: [String] = []
    let count = Answer.count(rows.comparedTokenCount, "token")
    if let token = rows.firstToken, let plane = rows.firstPlane {
      parts.append(
        ink.bad("\(Answer.count(rows.rowCount, "row")) of \(count) differ") + ", the first at token \(token), \(plane)")
    } else if rows.comparedTokenCount > 0 {
      let shared =
        switch rows.sharedTokenCount {
        case 0: ""
        case rows.comparedTokenCount: ", in blocks that both share"
        default: ", \(rows.sharedTokenCount) of them in blocks that both share"
        }
      parts.append("the same for \(count)\(shared)")
    }
    if rows.missingTokenCount > 0 {
      let reason = rows.missingReason.map { " (\(Answer.printable($0)))" } ?? ""
      parts.append(ink.bad("those of \(Answer.count(rows.missingTokenCount, "token")) cannot be read\(reason)"))
    }
    if rows.incomparablePlaneCount > 0 {
      parts.append(ink.caution("\(Answer.count(rows.incomparablePlaneCount, "plane")) without a counterpart"))
    }
    return parts.joined(separator: "; ")
  }

  private var largest: String? {
    let planes = comparison.rows.planes
    guard let plane = planes.max(by: { ($0.numbers.largest ?? -1) < ($1.numbers.largest ?? -1) }),
      let largest = plane.numbers.largest, let token = plane.numbers.token, let element = plane.numbers.element
    else { return nil }
    return "\(Self.number(largest)) between two numbers: token \(token), \(plane.plane), element \(element)"
  }

  private static func number(_ value: Double) -> String {
    value >= 0.001 ? Decimal.text(value, digits: 4) : "\(Float(value))"
  }

  /// The planes that differ, as a table.
  private var planes: String {
    let planes = comparison.rows.planes
    guard !planes.isEmpty else { return "" }
    var table = TextTable([
      ("LAYER", .right), ("PLANE", .left), ("TYPE", .left), ("ROWS", .right), ("VALUES", .right), ("BYTES", .right),
      ("LARGEST DIFFERENCE", .right),
    ])
    for plane in planes.prefix(Self.planeLimit) {
      table.append([
        String(plane.plane.layer), "\(plane.plane.kind)", plane.elementTypes.map(\.name).joined(separator: "/"),
        String(plane.rowCount), String(plane.numbers.valueCount), plane.byteCount.map(String.init) ?? "-",
        plane.numbers.largest.map(Self.number) ?? "-",
      ])
    }
    let rest = planes.count - Self.planeLimit
    return "\n" + table.text + (rest > 0 ? "and \(Answer.count(rest, "plane")) more; --json lists all\n" : "") + "\n"
  }
}
