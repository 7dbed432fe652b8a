import KVInspection

/// Bars one below the other, each cut into parts; all on one scale.
struct StackRows {
  struct Row {
    var name: HTML
    var parts: [(fill: String, value: Double)]
    var figure: HTML
    var note: HTML = .empty
  }

  var rows: [Row]
  /// What the whole width is; nil: the longest row.
  var whole: Double?

  var html: HTML {
    let scale = whole ?? rows.map { $0.parts.reduce(0) { $0 + $1.value } }.max() ?? 1
    let items = rows.map { row -> HTML in
      var start = 0.0
      var rects: [HTML] = []
      for part in row.parts where part.value > 0 {
        let width = part.value / (scale > 0 ? scale : 1)
        let (x, w) = (Figures.percent(start), Figures.percent(width))
        rects.append("<rect class=\"\(part.fill)\" x=\"\(x)\" width=\"\(w)\" height=\"100%\"/>")
        start += width
      }
      return """
        <li><span class="bar-name">\(row.name)</span>\
        <svg class="bar" aria-hidden="true" width="100%" height="20">\(rects)</svg>\
        <span class="bar-figure">\(row.figure)</span>\
        <span class="bar-more"><span class="bar-detail"></span> <span class="bar-note">\(row.note)</span></span></li>

        """
    }
    return "<ul class=\"bars compact\">\n\(items)</ul>"
  }
}
