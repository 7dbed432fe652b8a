/// A drawing with its caption, and the same facts as a table that opens below it.
package enum Figure {
  /// - Parameter table: nil where the drawing is a table already.
  package static func html(
    _ title: HTML, note: HTML = .empty, drawing: HTML, table: HTML? = nil, tableTitle: HTML = "The figures as a table"
  ) -> HTML {
    let noteLine: HTML? = note.isEmpty ? nil : "<p class=\"note\">\(note)</p>\n"
    let details: HTML? = table.map {
      """
      <details class="table"><summary>\(tableTitle)</summary>
      \($0)
      </details>

      """
    }
    return """
      <figure>
      <figcaption><h3>\(title)</h3>
      \(noteLine)</figcaption>
      \(drawing)
      \(details)</figure>

      """
  }

  /// Several figures, beside one another where there is room.
  package static func row(_ figures: [HTML]) -> HTML { "<div class=\"row\">\(figures)</div>\n" }

  /// What is said where there is nothing to draw.
  package static func nothing(_ why: HTML) -> HTML { "<p class=\"nothing\">\(why)</p>\n" }
}
