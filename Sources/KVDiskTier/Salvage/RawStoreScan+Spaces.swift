import KVBlocks

/// Which spaces come back, and under which record.
extension RawStoreScan {
  mutating func settleSpaces() {
    let roots = sessions.roots
    spaces.nameRuns(roots: roots)
    chosenSpaces = spaces.records
    var layouts: [SpaceID: [UInt32: Int]] = [:]
    for block in blocks.blocks where block.isWhole {
      layouts[block.key.space, default: [:]][block.layout, default: 0] += 1
    }
    for (id, counts) in layouts where chosenSpaces[id] == nil && id.rawValue < UInt32.max && id != RawSpaceList.unknown
    {
      let layout = counts.max { a, b in a.value != b.value ? a.value < b.value : a.key < b.key }?.key
      guard let layout, let root = roots[id] ?? likelyRoot(of: id) else { continue }
      chosenSpaces[id] = SpaceRecord(
        id: id, fingerprint: .placeholder(for: id), layout: blocks.layouts[Int(layout)], root: root)
    }
    report.spaces = chosenSpaces.values.sorted { $0.id < $1.id }.map {
      RawStoreReport.Space(id: $0.id, model: $0.fingerprint.model, isPlaceholder: $0.fingerprint.isPlaceholder)
    }
  }

  /// The parent that most blocks have whose parent has no frame: the first blocks of all prompts hang on the root.
  private func likelyRoot(of space: SpaceID) -> BlockHash? {
    var counts: [BlockHash: (count: Int, frame: UInt64)] = [:]
    for block in blocks.blocks where block.key.space == space {
      guard blocks.index(of: BlockKey(space: space, hash: block.parent)) == nil else { continue }
      let known = counts[block.parent] ?? (0, .max)
      counts[block.parent] = (known.count + 1, min(known.frame, block.frame))
    }
    return counts.max { a, b in
      a.value.count != b.value.count ? a.value.count < b.value.count : a.value.frame > b.value.frame
    }?.key
  }

  mutating func settleChains() {
    var places: [SpaceID: (root: BlockHash, layout: UInt32)] = [:]
    for space in chosenSpaces.values { places[space.id] = (space.root, blocks.number(of: space.layout)) }
    blocks.settleChains { places[$0] }
  }
}

extension ModelFingerprint {
  /// The setting that tells a placeholder.
  private static let salvageSetting = "kvpager.salvaged"

  /// Stands for a fingerprint that is lost. It is equal to no engine's, so nothing computed elsewhere mixes with the
  /// space's blocks.
  package static func placeholder(for space: SpaceID) -> ModelFingerprint {
    ModelFingerprint(
      model: "unknown (salvaged space \(space))",
      settings: [salvageSetting: "the record of space \(space) was lost: model and settings are not known"])
  }

  package var isPlaceholder: Bool { settings[Self.salvageSetting] != nil }
}
