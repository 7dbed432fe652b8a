import KVBlocks

/// The cache spaces: whose keys and values these are.
enum SpacesSection {
  static func section(_ spaces: [SpaceFacts]) -> PageFrame.Section {
    var table = DataTable(
      "Cache spaces; two spaces never share a block",
      [
        .text("Model"), .number("Space"), .number("Sessions"), .number("Blocks"), .number("Tokens a block"),
        .number("Layers"), .text("Type"), .number("A token"), .number("Rows, stored once"), .number("Frames"),
        .text("Settings"),
      ], isSortable: true)
    for facts in spaces {
      let layout = facts.space.layout
      let types = Set(layout.planes.map(\.elementType.name)).sorted().joined(separator: ", ")
      let layers = Set(layout.planes.map(\.plane.layer)).count
      table.append([
        StoreText.html(facts.space.fingerprint.model),
        Figures.html(Int(facts.space.id.rawValue), facts.space.id.description),
        Figures.html(count: facts.sessionCount), Figures.html(count: facts.blockCount),
        Figures.html(count: layout.blockTokenCount), Figures.html(count: layers), "\(types)",
        Figures.html(bytes: layout.tokenByteCount), Figures.html(bytes: facts.uniqueByteCount),
        Figures.html(bytes: facts.compressedByteCount), settings(facts.space.fingerprint),
      ])
    }
    return PageFrame.Section(
      "spaces", "Cache spaces", short: "Spaces",
      lead: "\(Figures.count(spaces.count, "space")): one for each model, layout and salt.", body: table.html)
  }

  private static func settings(_ fingerprint: ModelFingerprint) -> HTML {
    var parts = fingerprint.settings.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.prefix(12).map {
      "\(StoreText.html($0.key, limit: 40)): \(StoreText.html($0.value, limit: 40))" as HTML
    }
    if !fingerprint.adapter.isEmpty { parts.insert("adapter \(StoreText.html(fingerprint.adapter, limit: 40))", at: 0) }
    if !fingerprint.salt.isEmpty { parts.insert("salted", at: 0) }
    return parts.isEmpty ? "–" : parts.joined(", ")
  }
}
