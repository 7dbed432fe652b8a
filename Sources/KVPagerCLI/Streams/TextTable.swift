/// Rows in aligned columns, under a line of titles.
struct TextTable {
  enum Alignment {
    case left
    case right
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// - Precondition: one cell a column.
  mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "one cell a column")
    rows.append(cells)
  }

  /// All lines, each with its line end and without blanks before it.
  var text: String {
    let all = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in all.map { Ink.width(of: $0[column]) }.max() ?? 0 }
    return all.map { cells in
      var line = ""
      for (index, cell) in cells.enumerated() {
        let padding = String(repeating: " ", count: widths[index] - Ink.width(of: cell))
        line += columns[index].alignment == .left ? cell + padding : padding + cell
        if index < cells.count - 1 { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}

/// Names and values, one a line, the values aligned.
struct FactList {
  private var facts: [(name: String, value: String)] = []

  mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

  var text: String {
    let width = facts.map { Ink.width(of: $0.name) }.max() ?? 0
    return facts.map { fact in
      "\(fact.name)\(String(repeating: " ", count: width - Ink.width(of: fact.name)))  \(fact.value)\n"
    }.joined()
  }
}
