import KVBlocks

/// A plane as people name it: its place in the layout ("12"), or its layer and kind ("3.keys").
package enum PlaneChoice: Hashable, Sendable, CustomStringConvertible {
  case index(Int)
  case plane(Plane)

  /// Nil for anything else. "k" and "v" stand for keys and values too.
  package init?(_ text: String) {
    if let index = Int(text), index >= 0 {
      self = .index(index)
      return
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let layer = Int(parts[0]), layer >= 0 else { return nil }
    switch parts[1].lowercased() {
    case "keys", "k": self = .plane(Plane(.keys, layer: layer))
    case "values", "v": self = .plane(Plane(.values, layer: layer))
    default: return nil
    }
  }

  package var description: String {
    switch self {
    case .index(let index): String(index)
    case .plane(let plane): "\(plane.layer).\(plane.kind)"
    }
  }

  /// The plane's place in a layout.
  /// - Throws: `notFound`, which says what there is.
  package func index(in layout: BlockLayout) throws(StoreError) -> Int {
    switch self {
    case .index(let index): if layout.planes.indices.contains(index) { return index }
    case .plane(let plane): if let index = layout.index(of: plane) { return index }
    }
    let layers = Set(layout.planes.map(\.plane.layer)).sorted()
    throw StoreError(
      .notFound,
      "there is no plane \(self): the block has planes 0 to \(layout.planes.count - 1), "
        + "layers \(layers.first ?? 0) to \(layers.last ?? 0), .keys and .values of each")
  }
}
