import KVBlocks

/// How well each layer's keys and values compress, space by space.
enum CompressionSection {
  static func section(_ planes: [PlaneCompression], _ spaces: [SpaceFacts]) -> PageFrame.Section {
    let title: HTML = "Compression by layer and plane"
    let known = planes.filter { $0.storedByteCount > 0 }
    guard !known.isEmpty else {
      return PageFrame.Section(
        "compression", title, short: "Compression", body: Figure.nothing("No frame could be looked at."))
    }
    // One scale for all spaces, so that their shades compare.
    let factors = known.map(\.factor)
    let scale = min(1, factors.min() ?? 1)...max(1.1, factors.max() ?? 1)
    let figures = spaces.compactMap { facts -> HTML? in
      let own = planes.filter { $0.space == facts.space.id }
      return own.isEmpty ? nil : figure(facts, own, scale)
    }
    return PageFrame.Section(
      "compression", title, short: "Compression", lead: lead(known),
      body: "<div class=\"row small\">\(figures)</div>\n"
        + Steps.legend(
          "\(Figures.decimal(scale.lowerBound, digits: 2)) ×", "\(Figures.decimal(scale.upperBound, digits: 2)) ×"))
  }

  private static func lead(_ planes: [PlaneCompression]) -> HTML {
    guard let best = planes.max(by: { $0.factor < $1.factor }), let worst = planes.min(by: { $0.factor < $1.factor })
    else { return .empty }
    return """
      Best: \(best.plane.description) of space \(best.space.description) (\(best.elementType.name)), \
      \(Figures.decimal(best.factor, digits: 2)) × smaller. Least: \(worst.plane.description) of space \
      \(worst.space.description) (\(worst.elementType.name)), \(Figures.decimal(worst.factor, digits: 2)) ×.
      """
  }

  private static func figure(_ facts: SpaceFacts, _ planes: [PlaneCompression], _ scale: ClosedRange<Double>) -> HTML {
    let types = Set(planes.map(\.elementType.name)).sorted().joined(separator: ", ")
    let layers = Set(planes.map(\.plane.layer)).sorted()
    func cell(_ layer: Int, _ kind: Plane.Kind) -> HeatTable.Cell? {
      guard let plane = planes.first(where: { $0.plane == Plane(kind, layer: layer) }), plane.storedByteCount > 0 else {
        return nil
      }
      return HeatTable.Cell(
        plane.factor, figure: Figures.html(plane.storedByteCount, Figures.decimal(plane.factor, digits: 2) + " ×"),
        note: "\(Figures.bytes(plane.storedByteCount))")
    }
    let table = HeatTable(
      "Rows to frames, and the frames’ bytes", rowTitle: "Layer", columns: ["Keys", "Values"],
      rows: layers.map { ("\($0)", [cell($0, .keys), cell($0, .values)]) }, scale: scale)
    let (looked, all) = (planes.map(\.frameCount).max() ?? 0, facts.blockCount)
    let sample: HTML =
      looked < all
      ? "Of \(Figures.count(looked)) frames, picked evenly from \(Figures.count(all))."
      : "Of all \(Figures.count(all, "frame"))."
    return Figure.html(
      "Space \(facts.space.id.description): \(StoreText.html(facts.space.fingerprint.model)), \(types)", note: sample,
      drawing: table.html)
  }
}
