/// A grid of cells shaded by value, as a table: each cell says its value in figures.
package struct HeatTable {
  package struct Cell {
    package var value: Double
    package var figure: HTML
    package var note: HTML

    package init(_ value: Double, figure: HTML, note: HTML) {
      self.value = value
      self.figure = figure
      self.note = note
    }
  }

  package var caption: HTML
  package var rowTitle: HTML
  package var columns: [HTML]
  package var rows: [(name: HTML, cells: [Cell?])]
  /// What the palest and the strongest shade stand for.
  package var scale: ClosedRange<Double>

  package init(
    _ caption: HTML, rowTitle: HTML, columns: [HTML], rows: [(name: HTML, cells: [Cell?])], scale: ClosedRange<Double>
  ) {
    self.caption = caption
    self.rowTitle = rowTitle
    self.columns = columns
    self.rows = rows
    self.scale = scale
  }

  package func step(_ cell: Cell) -> Int { Steps.step(cell.value, from: scale.lowerBound, to: scale.upperBound) }

  package var html: HTML {
    let head = columns.map { "<th scope=\"col\">\($0)</th>" as HTML }
    let body = rows.map { row -> HTML in
      let cells = row.cells.map { cell -> HTML in
        guard let cell else { return "<td>–</td>" }
        return "<td class=\"s\(step(cell))\">\(cell.figure) <small>\(cell.note)</small></td>"
      }
      return "<tr><th scope=\"row\">\(row.name)</th>\(cells)</tr>\n"
    }
    return """
      <table class="heat">
      <caption>\(caption)</caption>
      <thead><tr><th scope="col">\(rowTitle)</th>\(head)</tr></thead>
      <tbody>
      \(body)</tbody></table>
      """
  }
}
