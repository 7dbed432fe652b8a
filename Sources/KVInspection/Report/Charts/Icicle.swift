/// A tree as rows of boxes: the whole on top, below each box its parts, as wide as what they weigh. What a box weighs
/// beyond its parts is its own.
package struct Icicle {
  package struct Node {
    package var label: String
    /// Lines, read aloud and shown where the node is pointed at.
    package var facts: String
    /// No less than the sum of its children's.
    package var weight: Int
    package var fill: Fill
    package var children: [Node]

    package init(_ label: String, facts: String, weight: Int, fill: Fill, children: [Node] = []) {
      self.label = label
      self.facts = facts
      self.weight = weight
      self.fill = fill
      self.children = children
    }
  }

  package enum Fill: Hashable {
    case step(Int)
    /// What is summed up, or in no session.
    case hatched
    case plain

    var name: String {
      switch self {
      case .step(let step): "s\(step)"
      case .hatched: "hatched"
      case .plain: "plain"
      }
    }

    var isStrong: Bool { if case .step(let step) = self { step > 4 } else { false } }
  }

  package struct Place: Hashable {
    package var depth: Int
    /// Parts of the whole width.
    package var start: Double
    package var width: Double
  }

  package static let rowHeight = 28
  /// What a label may take of a page 1,200 pixels wide; scripts fit labels to the real width.
  private static let characters = 150.0

  package var root: Node
  /// What is drawn, for those who cannot see it.
  package var title: HTML
  package var legend: HTML

  package init(_ root: Node, title: HTML, legend: HTML) {
    self.root = root
    self.title = title
    self.legend = legend
  }

  /// All nodes with their places, each before its children.
  package var placed: [(node: Node, place: Place)] {
    var result: [(node: Node, place: Place)] = []
    func place(_ node: Node, depth: Int, start: Double, width: Double) {
      result.append((node, Place(depth: depth, start: start, width: width)))
      var start = start
      for child in node.children {
        let part = node.weight > 0 ? width * Double(child.weight) / Double(node.weight) : 0
        place(child, depth: depth + 1, start: start, width: part)
        start += part
      }
    }
    place(root, depth: 0, start: 0, width: 1)
    return result
  }

  package var html: HTML {
    let placed = placed
    let levels = 1 + (placed.map(\.place.depth).max() ?? 0)
    return """
      <div class="icicle" data-icicle>
      <ol class="trail scripted" data-trail aria-label="Zoomed to"></ol>
      <svg role="tree" aria-label="\(title)" width="100%" height="\(levels * Self.rowHeight)">
      \(placed.map(Self.html))</svg>
      \(legend)
      <p class="readout scripted" data-readout aria-live="polite"></p>
      <p class="note keyboard scripted">Click a box, or press <kbd>Enter</kbd> on it, to zoom in; <kbd>Esc</kbd> or \
      the path above zooms out; the arrow keys walk the tree.</p>
      </div>
      """
  }

  private static func html(_ node: Node, _ place: Place) -> HTML {
    let (x, width) = (Figures.percent(place.start), Figures.percent(place.width))
    let room = Int(place.width * characters) - 2
    let label = StoreText.visible(node.label, limit: 60)
    let shown = room < 3 ? "" : label.count <= room ? label : label.prefix(room - 1) + "…"
    let isStrong: HTML = node.fill.isStrong ? " strong" : ""
    return """
      <svg class="node\(isStrong)" role="treeitem" tabindex="-1" aria-level="\(place.depth + 1)" x="\(x)" \
      y="\(place.depth * rowHeight)" width="\(width)" height="\(rowHeight)" data-weight="\(node.weight)" \
      data-label="\(label)"><title>\(node.facts)</title><rect class="\(node.fill.name)" width="100%" height="100%"/>\
      <text x="6" y="18">\(shown)</text></svg>

      """
  }
}
