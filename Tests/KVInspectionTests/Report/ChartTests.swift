import Testing

@testable import KVInspection

@Suite struct `the report's drawings` {
  @Test func `a stacked bar's segments follow one another and fill the width`() {
    let values = [51, 0, 3, 18, 27, 1]
    let bar = StackedBar(values.map { StackedBar.Part("part", $0, fill: .first) }) { Figures.html(count: $0) }
    var end = 0.0
    for (segment, value) in zip(bar.segments, values) {
      #expect(abs(segment.start - end) < 1e-12)
      #expect(abs(segment.width - Double(value) / 100) < 1e-12)
      end = segment.start + segment.width
    }
    #expect(abs(end - 1) < 1e-12 && bar.total == 100)
    // What takes nothing is told of and not drawn.
    #expect(bar.html.markup.components(of: "<rect class=\"t1\" x=") == 5)
    #expect(bar.html.markup.components(of: "<li>") == 6)
  }

  @Test func `a bar's pieces cover what was and what is`() {
    let bars = BarList([
      .init("all", 1000, figure: ""), .init("less", 400, before: 1000, figure: ""),
      .init("more", 500, before: 400, figure: ""), .init("none", 0, before: 0, figure: ""),
    ])
    #expect(bars.pieces(bars.bars[0]) == [.init(kind: .bar, start: 0, width: 1)])
    let left = BarList.Piece(kind: .bar, start: 0, width: 0.4)
    let saved = BarList.Piece(kind: .saved, start: 0.4, width: 0.6)
    #expect(bars.pieces(bars.bars[1]) == [left, saved])
    let added = bars.pieces(bars.bars[2])
    #expect(added.map(\.kind) == [.bar, .added] && added[1].start == 0.4 && abs(added[1].width - 0.1) < 1e-12)
    #expect(bars.pieces(bars.bars[3]).isEmpty)
  }

  @Test func `a tree's boxes lie within their parents, in order, as wide as they weigh`() {
    func leaf(_ weight: Int) -> Icicle.Node { .init("leaf", facts: "", weight: weight, fill: .step(2)) }
    let branch = Icicle.Node("branch", facts: "", weight: 60, fill: .step(8), children: [leaf(40), leaf(10)])
    let root = Icicle.Node("root", facts: "", weight: 100, fill: .plain, children: [branch, leaf(30), leaf(0)])
    let icicle = Icicle(root, title: "a tree", legend: "")
    let places = icicle.placed.map(\.place)
    #expect(places.map(\.depth) == [0, 1, 2, 2, 1, 1])
    let (starts, widths) = ([0, 0, 0, 0.4, 0.6, 0.9], [1, 0.6, 0.4, 0.1, 0.3, 0])
    for (place, (start, width)) in zip(places, zip(starts, widths)) {
      #expect(abs(place.start - start) < 1e-12 && abs(place.width - width) < 1e-12)
    }
    let markup = icicle.html.markup
    #expect(markup.components(of: "role=\"treeitem\"") == 6)
    #expect(markup.contains("height=\"\(3 * Icicle.rowHeight)\""))
    #expect(markup.contains("aria-level=\"3\" x=\"40%\" y=\"56\" width=\"10%\""))
  }

  @Test func `a tree without weight has no width to divide`() {
    let root = Icicle.Node(
      "root", facts: "", weight: 0, fill: .plain, children: [.init("leaf", facts: "", weight: 0, fill: .hatched)])
    #expect(Icicle(root, title: "", legend: "").placed.map(\.place.width) == [1, 0])
  }

  @Test func `shades grow with what they stand for and stay among the nine`() {
    #expect(Steps.step(1, from: 1, to: 2) == 0 && Steps.step(2, from: 1, to: 2) == 8)
    #expect(Steps.step(.nan, from: 1, to: 2) == 0 && Steps.step(9, from: 1, to: 2) == 8)
    #expect(Steps.step(1, from: 1, to: 1) == 0)
    for high in [1, 2, 3, 10, 787, 20_000, .max] {
      let steps = [1, 2, 3, 5, 100, 787, 19_999, high].filter { $0 <= high }.sorted().map {
        Steps.step(count: $0, to: high)
      }
      #expect(steps == steps.sorted() && steps[0] == Steps.firstOfCounts)
      if high > 1 { #expect(steps.last == 8) }
    }
    #expect(Steps.step(count: 0, to: 9) == Steps.firstOfCounts && Steps.step(count: -1, to: 0) == Steps.firstOfCounts)
  }

  @Test func `a matrix has a cell for each pair that shares, and its own on the diagonal`() {
    let common = [[5, 3, 0], [3, 4, 0], [0, 0, 9]]
    let matrix = PairMatrix(["a", "<b>", "c"], title: "pairs") { row, column in
      .init(share: common[row][column] > 0 ? 1 : 0, facts: "\(row) and \(column)", figure: "\(common[row][column])")
    }
    let markup = matrix.html.markup
    #expect(markup.components(of: "<title>") == 5)
    #expect(markup.components(of: "<rect class=\"self\"") == 3)
    #expect(markup.contains("x=\"33.333%\" y=\"20\""))
    #expect(markup.contains("&lt;b&gt;") && !markup.contains("<b>"))
  }

  @Test func `a heat map says each value and leaves out what is not there`() {
    let table = HeatTable(
      "planes", rowTitle: "Layer", columns: ["Keys", "Values"],
      rows: [("0", [.init(1.5, figure: "1.50 ×", note: "2 KiB"), nil])], scale: 1...2)
    #expect(table.html.markup.contains("<td class=\"s4\">1.50 × <small>2 KiB</small></td><td>–</td>"))
  }
}

extension String {
  /// How often `part` stands in it.
  func components(of part: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
