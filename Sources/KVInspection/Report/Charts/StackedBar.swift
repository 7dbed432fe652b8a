/// What a whole is made of: one bar cut into parts, and the parts by name with their share.
package struct StackedBar {
  package struct Part {
    package var name: HTML
    package var value: Int
    package var note: HTML
    package var fill: Fill

    package init(_ name: HTML, _ value: Int, fill: Fill, note: HTML = .empty) {
      self.name = name
      self.value = value
      self.fill = fill
      self.note = note
    }
  }

  /// Told apart by colour and, where they are neighbours, by lightness or pattern.
  package enum Fill: String, CaseIterable {
    case first = "t1"
    case second = "t2"
    case third = "t3"
    case fourth = "t4"
    case fifth = "t5"
    case hatched = "hatched"
    case dotted = "dotted"
    case empty = "hollow"
  }

  package struct Segment: Hashable {
    package var start: Double
    package var width: Double
  }

  package var parts: [Part]
  /// How a part's value is written.
  package var figure: (Int) -> HTML

  package init(_ parts: [Part], figure: @escaping (Int) -> HTML) {
    self.parts = parts
    self.figure = figure
  }

  package var total: Int { parts.reduce(0) { $0 &+ max(0, $1.value) } }

  /// One for each part, in order: they fill the width.
  package var segments: [Segment] {
    let total = Double(max(1, total))
    var start = 0
    return parts.map { part in
      defer { start &+= max(0, part.value) }
      return Segment(start: Double(start) / total, width: Double(max(0, part.value)) / total)
    }
  }

  package var html: HTML {
    let rects = zip(parts, segments).filter { $1.width > 0 }.map { part, segment -> HTML in
      let (x, width) = (Figures.percent(segment.start), Figures.percent(segment.width))
      return "<rect class=\"\(part.fill.rawValue)\" x=\"\(x)\" width=\"\(width)\" height=\"100%\"/>"
    }
    let keys = parts.map { part -> HTML in
      let note: HTML? = part.note.isEmpty ? nil : "<span class=\"key-note\">\(part.note)</span>"
      return """
        <li><svg class="swatch" aria-hidden="true" width="14" height="14">\
        <rect class="\(part.fill.rawValue)" width="14" height="14"/></svg>\
        <span class="key-name">\(part.name)\(note)</span>\
        <span class="key-figure">\(figure(part.value))</span>\
        <span class="key-share">\(Figures.share(part.value, of: total))</span></li>

        """
    }
    return """
      <svg class="stack" aria-hidden="true" width="100%" height="36">\(rects)</svg>
      <ul class="keys">
      \(keys)</ul>
      """
  }
}
