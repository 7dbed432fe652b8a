/// Bars one below the other, each with its name before and its value behind it: sizes, steps and histograms. Names and
/// values are text of the page, so that they wrap, scale and are read aloud; only the bars are drawn.
package struct BarList {
  package struct Bar {
    package var name: HTML
    /// What the name means; empty where it says enough.
    package var detail: HTML
    /// The length, in the unit of all bars.
    package var value: Int
    /// A length before the step that led here: what was saved since is drawn hatched, what was added is marked.
    package var before: Int?
    package var figure: HTML
    package var note: HTML
    package var tone: Tone

    package init(
      _ name: HTML, detail: HTML = .empty, _ value: Int, before: Int? = nil, figure: HTML, note: HTML = .empty,
      tone: Tone = .primary
    ) {
      self.name = name
      self.detail = detail
      self.value = value
      self.before = before
      self.figure = figure
      self.note = note
      self.tone = tone
    }
  }

  package enum Tone: String {
    case primary = "t1"
    case quiet = "t6"
  }

  package struct Piece: Hashable {
    package enum Kind: String { case bar, saved, added }
    package var kind: Kind
    /// Parts of the whole width.
    package var start: Double
    package var width: Double
  }

  package var bars: [Bar]
  /// Notes stand beside the values, not below.
  package var isCompact: Bool

  package init(_ bars: [Bar], isCompact: Bool = false) {
    self.bars = bars
    self.isCompact = isCompact
  }

  /// The longest length of all: the whole width.
  var scale: Int { max(1, bars.map { max($0.value, $0.before ?? 0) }.max() ?? 1) }

  /// What is drawn of a bar, from left to right, without gaps.
  package func pieces(_ bar: Bar) -> [Piece] {
    let scale = Double(scale)
    let (value, before) = (Double(max(0, bar.value)) / scale, Double(max(0, bar.before ?? bar.value)) / scale)
    var pieces = [Piece(kind: .bar, start: 0, width: min(value, before))]
    if value < before { pieces.append(Piece(kind: .saved, start: value, width: before - value)) }
    if value > before { pieces.append(Piece(kind: .added, start: before, width: value - before)) }
    return pieces.filter { $0.width > 0 }
  }

  package var html: HTML {
    let rows = bars.map { bar -> HTML in
      let rects = pieces(bar).map { piece -> HTML in
        let tone = piece.kind == .bar ? bar.tone.rawValue : piece.kind.rawValue
        let (x, width) = (Figures.percent(piece.start), Figures.percent(piece.width))
        return "<rect class=\"\(tone)\" x=\"\(x)\" width=\"\(width)\" height=\"100%\"/>"
      }
      return """
        <li><span class="bar-name">\(bar.name)</span>\
        <svg class="bar" aria-hidden="true" width="100%" height="20">\(rects)</svg>\
        <span class="bar-figure">\(bar.figure)</span>\
        <span class="bar-more"><span class="bar-detail">\(bar.detail)</span> <span class="bar-note">\(bar.note)</span>\
        </span></li>

        """
    }
    let kind: HTML = isCompact ? " compact" : ""
    return "<ul class=\"bars\(kind)\">\n\(rows)</ul>"
  }
}
