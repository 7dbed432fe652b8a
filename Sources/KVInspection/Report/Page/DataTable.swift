/// A table of facts. Where scripts run, its columns sort.
package struct DataTable {
  package struct Column {
    package enum Kind: Hashable {
      case text
      case number
    }
    var title: HTML
    var kind: Kind

    package static func text(_ title: HTML) -> Column { Column(title: title, kind: .text) }
    package static func number(_ title: HTML) -> Column { Column(title: title, kind: .number) }
  }

  var caption: HTML
  var columns: [Column]
  var isSortable: Bool
  private var rows: [[HTML]] = []
  private var total: [HTML]?

  /// - Parameter caption: what the table holds, read aloud before it.
  package init(_ caption: HTML, _ columns: [Column], isSortable: Bool = false) {
    self.caption = caption
    self.columns = columns
    self.isSortable = isSortable
  }

  package var rowCount: Int { rows.count }

  /// - Precondition: one cell a column.
  package mutating func append(_ cells: [HTML]) {
    precondition(cells.count == columns.count, "one cell a column")
    rows.append(cells)
  }

  /// The line below all others: a sum, or the rest.
  package mutating func setTotal(_ cells: [HTML]) {
    precondition(cells.count == columns.count, "one cell a column")
    total = cells
  }

  package var html: HTML {
    let head = columns.map { column -> HTML in
      let title: HTML = isSortable ? "<button type=\"button\">\(column.title)</button>" : column.title
      let mark: HTML? = isSortable ? " aria-sort=\"none\"" : nil
      return "<th scope=\"col\"\(Self.class(column))\(mark)>\(title)</th>"
    }
    let foot: HTML? = total.map { "<tfoot><tr>\(cells($0))</tr></tfoot>\n" }
    let kind: HTML = isSortable ? " data-sortable" : ""
    return """
      <div class="scroll" role="region" aria-label="\(caption)" tabindex="0"><table\(kind)>
      <caption>\(caption)</caption>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(rows.map { "<tr>\(cells($0))</tr>\n" as HTML })</tbody>
      \(foot)</table></div>
      """
  }

  /// The first cell names its row.
  private func cells(_ cells: [HTML]) -> [HTML] {
    zip(columns, cells).enumerated().map { index, cell in
      let (column, content) = cell
      return index == 0
        ? "<th scope=\"row\"\(Self.class(column))>\(content)</th>" : "<td\(Self.class(column))>\(content)</td>"
    }
  }

  private static func `class`(_ column: Column) -> HTML? { column.kind == .number ? " class=\"n\"" : nil }
}
