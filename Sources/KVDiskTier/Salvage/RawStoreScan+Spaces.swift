import KVBlocks

/// Which spaces come back, and under which record.
extension RawStoreScan {
  mutating func settleSpaces() {
    let roots = sessions.roots
    spaces.nameRuns(roots: roots)
    chosenSpaces = spaces.records
    settleMisnamedSpaces(roots)
    var layouts: [SpaceID: [UInt32: Int]] = [:]
    for block in blocks.blocks where block.isWhole {
      layouts[block.key.space, default: [:]][block.layout, default: 0] += 1
    }
    let lost = layouts.filter { id, _ in
      chosenSpaces[id] == nil && id.rawValue < UInt32.max && id != RawSpaceList.unknown
    }
    let likely = likelyRoots(of: Set(lost.keys.filter { roots[$0] == nil }))
    for (id, counts) in lost {
      let layout = counts.max { a, b in a.value != b.value ? a.value < b.value : a.key < b.key }?.key
      guard let layout, let root = roots[id] ?? likely[id] else { continue }
      chosenSpaces[id] = SpaceRecord(
        id: id, fingerprint: .placeholder(for: id), layout: blocks.layouts[Int(layout)], root: root)
    }
    report.spaces = chosenSpaces.values.sorted { $0.id < $1.id }.map {
      RawStoreReport.Space(id: $0.id, model: $0.fingerprint.model, isPlaceholder: $0.fingerprint.isPlaceholder)
    }
  }

  /// A record under an id that no block and no session speaks of has a damaged key: it is the space's of which they
  /// name the root, or a second record of one. A root that comes from a seed tells nothing: other spaces have it too.
  private mutating func settleMisnamedSpaces(_ roots: [SpaceID: BlockHash]) {
    let spoken = Set(blocks.blocks.map(\.key.space)).union(roots.keys)
    var owners: [BlockHash: SpaceID] = [:]
    for (id, root) in roots.sorted(by: { $0.key < $1.key }) where chosenSpaces[id] == nil { owners[root] = id }
    for space in chosenSpaces.values.sorted(by: { $0.id < $1.id }) where !spoken.contains(space.id) {
      guard space.fingerprint.vllmSeed == nil, let owner = owners[space.root] else { continue }
      chosenSpaces[space.id] = nil
      chosenSpaces[owner] = space.with(id: owner)
      owners[space.root] = nil
    }
    var identities: [[UInt8]: SpaceID] = [:]
    for space in chosenSpaces.values.sorted(by: { $0.id < $1.id }) {
      let identity = space.fingerprint.canonicalBytes(layout: space.layout)
      guard let owner = identities[identity] else {
        identities[identity] = space.id
        continue
      }
      let stays = spoken.contains(space.id) && !spoken.contains(owner) ? space.id : owner
      chosenSpaces[stays == owner ? space.id : owner] = nil
      identities[identity] = stays
    }
  }

  /// For each space the parent that most blocks have whose parent has no frame: the first blocks of all prompts hang on
  /// the root.
  private func likelyRoots(of spaces: Set<SpaceID>) -> [SpaceID: BlockHash] {
    var counts: [BlockKey: (count: Int, frame: UInt64)] = [:]
    for block in blocks.blocks where spaces.contains(block.key.space) {
      let parent = BlockKey(space: block.key.space, hash: block.parent)
      guard blocks.index(of: parent) == nil else { continue }
      let known = counts[parent] ?? (0, .max)
      counts[parent] = (known.count + 1, min(known.frame, block.frame))
    }
    var best: [SpaceID: (hash: BlockHash, count: Int, frame: UInt64)] = [:]
    for (parent, found) in counts {
      if let known = best[parent.space], (known.count, found.frame) >= (found.count, known.frame) { continue }
      best[parent.space] = (parent.hash, found.count, found.frame)
    }
    return best.mapValues(\.hash)
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
