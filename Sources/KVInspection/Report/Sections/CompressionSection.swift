import KVBlocks

/// How well each layer's keys and values compress, space by space.
enum CompressionSection {
  static func section(_ planes: PlaneStatistics?, _ spaces: [SpaceFacts]) -> PageFrame.Section {
    let known = planes?.entries.filter { $0.storedByteCount > 0 } ?? []
    guard let planes, !known.isEmpty else {
      return PageFrame.Section(
        "compression", title, short: "Compression", body: Figure.nothing("The store holds no frame that can be read."))
    }
    // One scale for all spaces, so that their shades compare.
    let factors = known.map(factor)
    let scale = min(1, factors.min() ?? 1)...max(1.1, factors.max() ?? 1)
    let figures = spaces.compactMap { facts -> HTML? in
      let own = known.filter { $0.space == facts.space.id }
      return own.isEmpty ? nil : figure(facts, own, scale)
    }
    let legend = Steps.legend(
      "\(Figures.decimal(scale.lowerBound, digits: 2)) ×", "\(Figures.decimal(scale.upperBound, digits: 2)) ×")
    return PageFrame.Section(
      "compression", title, short: "Compression", lead: lead(known, planes),
      body: "<div class=\"row small\">\(figures)</div>\n\(legend)\(types(planes))")
  }

  private static let title: HTML = "Compression by layer and plane"

  static func factor(_ entry: PlaneStatistics.Entry) -> Double {
    entry.storedByteCount > 0 ? Double(entry.rawByteCount) / Double(entry.storedByteCount) : 0
  }

  private static func lead(_ known: [PlaneStatistics.Entry], _ planes: PlaneStatistics) -> HTML {
    guard let best = known.max(by: { factor($0) < factor($1) }), let worst = known.min(by: { factor($0) < factor($1) })
    else { return .empty }
    func name(_ entry: PlaneStatistics.Entry) -> HTML {
      "\(entry.plane.description) of space \(entry.space.description) (\(entry.elementType.name))"
    }
    let (most, least) = (Figures.decimal(factor(best), digits: 2), Figures.decimal(factor(worst), digits: 2))
    let sample: HTML =
      planes.isSampled
      ? """
       Scaled from the headers of \(Figures.count(planes.readFrameCount)) frames, picked evenly from \
      \(Figures.count(planes.frameCount)).
      """ : ""
    return "Best: \(name(best)), \(most) × smaller. Least: \(name(worst)), \(least) ×.\(sample)"
  }

  private static func figure(
    _ facts: SpaceFacts, _ planes: [PlaneStatistics.Entry], _ scale: ClosedRange<Double>
  ) -> HTML {
    let byPlane = Dictionary(planes.map { ($0.plane, $0) }) { first, _ in first }
    let layers = Set(planes.map(\.plane.layer)).sorted()
    func cell(_ layer: Int, _ kind: Plane.Kind) -> HeatTable.Cell? {
      byPlane[Plane(kind, layer: layer)].map { plane in
        HeatTable.Cell(
          factor(plane),
          figure: Figures.html(plane.storedByteCount, "\(Figures.decimal(factor(plane), digits: 2)) ×"),
          note: "\(Figures.bytes(plane.storedByteCount))")
      }
    }
    let table = HeatTable(
      "Rows to frames, and the frames’ bytes", rowTitle: "Layer", columns: ["Keys", "Values"],
      rows: layers.map { ("\($0)", [cell($0, .keys), cell($0, .values)]) }, scale: scale)
    let types = Set(planes.map(\.elementType.name)).sorted().joined(separator: ", ")
    return Figure.html(
      "Space \(facts.space.id.description): \(StoreText.html(facts.space.fingerprint.model))",
      note: "\(types), \(Figures.count(facts.blockCount, "block")) of \(facts.space.layout.blockTokenCount) tokens",
      drawing: table.html)
  }

  private static func types(_ planes: PlaneStatistics) -> HTML {
    var table = DataTable(
      "By element type and kind of plane",
      [.text("Type"), .text("Plane"), .number("Rows"), .number("In frames"), .number("Rows / frames"), .text("Codec")])
    struct Key: Hashable {
      var type: ElementType
      var kind: Plane.Kind
    }
    for sum in planes.sums(by: { Key(type: $0.elementType, kind: $0.plane.kind) }) {
      let own = planes.entries.filter { $0.elementType == sum.key.type && $0.plane.kind == sum.key.kind }
      let codecs = own.reduce(into: [String: Int]()) { $0.merge($1.codecs, uniquingKeysWith: &+) }
      let all = codecs.values.reduce(0, +)
      let names = codecs.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
        "\($0.key) \(Figures.share($0.value, of: all))" as HTML
      }
      table.append([
        "\(sum.key.type.name)", "\("\(sum.key.kind)")", Figures.html(bytes: sum.rawByteCount),
        Figures.html(bytes: sum.storedByteCount), "\(Figures.factor(sum.rawByteCount, sum.storedByteCount))",
        names.joined(", "),
      ])
    }
    return "<div class=\"below\">\(table.html)</div>\n"
  }
}
