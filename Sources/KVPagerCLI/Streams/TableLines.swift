/// A table that is written line by line, once the widths of its columns are known: for more rows than one wants to hold
/// as text.
struct TableLines {
  private let columns: [(title: String, alignment: TextTable.Alignment)]
  private var widths: [Int]

  init(_ columns: [(title: String, alignment: TextTable.Alignment)]) {
    self.columns = columns
    widths = columns.map { Ink.width(of: $0.title) }
  }

  /// Makes room for a row. - Precondition: one cell a column.
  mutating func measure(_ cells: [String]) {
    precondition(cells.count == columns.count, "one cell a column")
    for (column, cell) in cells.enumerated() { widths[column] = max(widths[column], Ink.width(of: cell)) }
  }

  var heading: String { line(columns.map(\.title)) }

  /// The row's line, with its line end and without blanks before it.
  func line(_ cells: [String]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      let padding = String(repeating: " ", count: max(widths[column] - Ink.width(of: cell), 0))
      line += columns[column].alignment == .left ? cell + padding : padding + cell
      if column < cells.count - 1 { line += "  " }
    }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }
}
