/// What each pair of things has in common, as a square of cells shaded by it. The caller orders the things, so that
/// those that have much in common lie together.
package struct PairMatrix {
  package struct Cell {
    /// 0 to 1: the shade. Nothing is drawn for 0.
    package var share: Double
    /// Read where the cell is pointed at.
    package var facts: String
    /// Written into the cell, where it is large.
    package var figure: String

    package init(share: Double, facts: String, figure: String) {
      self.share = share
      self.facts = facts
      self.figure = figure
    }
  }

  package static let cellHeight = 24
  private static let headHeight = 20
  /// Few things make no wider cells than their figures need.
  private static let cellWidthLimit = 64
  /// Cells are large enough for figures up to so many things.
  private static let figureLimit = 16

  package var names: [String]
  /// What is drawn, for those who cannot see it.
  package var title: HTML
  /// Of row and column.
  package var cell: (Int, Int) -> Cell

  package init(_ names: [String], title: HTML, cell: @escaping (Int, Int) -> Cell) {
    self.names = names
    self.title = title
    self.cell = cell
  }

  package var html: HTML {
    let count = names.count
    let list = names.enumerated().map { index, name -> HTML in
      "<li><span>\(index + 1)</span>\(StoreText.html(name))</li>"
    }
    let part = 1 / Double(max(1, count))
    let columns = (0..<count).map { index -> HTML in
      let x = Figures.percent((Double(index) + 0.5) * part)
      return "<text class=\"column\" x=\"\(x)\" y=\"13\">\(index + 1)</text>"
    }
    let cells = (0..<count).flatMap { row in (0..<count).map { (row, $0) } }.map { row, column in
      html(row, column, part: part)
    }
    let height = count * Self.cellHeight
    let many: HTML = count > 12 ? " many" : ""
    return """
      <div class="matrix\(many)">
      <ol>\(list)</ol>
      <svg role="img" aria-label="\(title)" width="\(count * Self.cellWidthLimit)" \
      height="\(height + Self.headHeight)">\(columns)\
      <rect class="ground" y="\(Self.headHeight)" width="100%" height="\(height)"/>
      \(cells)</svg>
      </div>
      """
  }

  private func html(_ row: Int, _ column: Int, part: Double) -> HTML {
    let cell = cell(row, column)
    guard cell.share > 0 else { return .empty }
    let step = row == column ? "self" : "s\(Steps.step(cell.share, from: 0, to: 1))"
    let (x, width) = (Figures.percent(Double(column) * part), Figures.percent(part))
    let y = Self.headHeight + row * Self.cellHeight
    let middle = Figures.percent((Double(column) + 0.5) * part)
    let figure: HTML? =
      names.count > Self.figureLimit
      ? nil : "<text class=\"inside \(step)\" x=\"\(middle)\" y=\"\(y + 16)\">\(cell.figure)</text>"
    return """
      <rect class="\(step)" x="\(x)" y="\(y)" width="\(width)" height="\(Self.cellHeight)"><title>\(cell.facts)</title>\
      </rect>\(figure)

      """
  }
}
