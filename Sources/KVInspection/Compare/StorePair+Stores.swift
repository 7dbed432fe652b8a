import KVBlocks
import KVDiskTier

extension StorePair {
  /// Compares two stores: their spaces, sessions and blocks. A session is the same where tokens, block table, metadata
  /// and the size of its checkpoint are; names are paired within a space, times are not compared.
  /// - Parameter isDeep: reads the rows of the blocks and the checkpoints that both have, too.
  /// - Throws: what opening and reading throw.
  package func compareStores(isDeep: Bool = false) throws(StoreError) -> StoreComparison {
    try withTiers { (tierA, tierB) throws(StoreError) in
      var comparison = StoreComparison(a: try Self.side(a, tierA), b: try Self.side(b, tierB), isDeep: isDeep)
      let pairs = try Self.spaces(tierA, tierB)
      for pair in pairs { comparison.spaces.append(try Self.blocks(of: pair, tierA, tierB, isDeep: isDeep)) }
      try Self.sessions(tierA, tierB, pairs, isDeep: isDeep, &comparison)
      return comparison
    }
  }

  private static func side(_ inspector: StoreInspector, _ tier: DiskTier) throws(StoreError) -> StoreComparison.Side {
    StoreComparison.Side(
      path: inspector.path, storeID: Hex.string(of: tier.header.storeID), fileByteCount: try tier.fileByteCount())
  }

  // MARK: Spaces and blocks

  private struct SpacePair {
    var a: SpaceRecord?
    var b: SpaceRecord?
  }

  private static func spaces(_ tierA: DiskTier, _ tierB: DiskTier) throws(StoreError) -> [SpacePair] {
    var others = try tierB.spaces()
    var pairs = try tierA.spaces().map { space in
      let twin = others.firstIndex { SpaceDifference.isNone(space, $0) }
      return SpacePair(a: space, b: twin.map { others.remove(at: $0) })
    }
    pairs += others.map { SpacePair(a: nil, b: $0) }
    return pairs
  }

  private static func blocks(
    of pair: SpacePair, _ tierA: DiskTier, _ tierB: DiskTier, isDeep: Bool
  ) throws(StoreError) -> StoreComparison.Space {
    let known = pair.a ?? pair.b
    var space = StoreComparison.Space(
      model: known?.fingerprint.model ?? "", blockTokenCount: known?.layout.blockTokenCount ?? 0, a: pair.a?.id,
      b: pair.b?.id)
    // 32 bytes a block; no transaction of one store lies inside one of the other.
    let hashes = try pair.a.map { space throws(StoreError) in try Self.hashes(of: space, tierA) } ?? []
    space.blockCountA = hashes.count
    guard let b = pair.b else { return space }
    try tierB.scanBlocks(in: b.id) { _ throws(StoreError) in
      space.blockCountB += 1
      return true
    }
    guard let a = pair.a else { return space }
    for start in stride(from: 0, to: hashes.count, by: DiskTier.scanRecordLimit) {
      let part = Array(hashes[start..<min(start + DiskTier.scanRecordLimit, hashes.count)])
      for (hash, found) in zip(part, try tierB.summaries(of: part, in: b.id)) where found != nil {
        space.commonBlockCount += 1
        if isDeep { try compareRows(of: hash, (tierA, a), (tierB, b), &space) }
      }
    }
    return space
  }

  private static func hashes(of space: SpaceRecord, _ tier: DiskTier) throws(StoreError) -> [BlockHash] {
    var hashes: [BlockHash] = []
    try tier.scanBlocks(in: space.id) { summary throws(StoreError) in
      hashes.append(summary.key.hash)
      return true
    }
    return hashes
  }

  private static func compareRows(
    of hash: BlockHash, _ a: (tier: DiskTier, space: SpaceRecord), _ b: (tier: DiskTier, space: SpaceRecord),
    _ space: inout StoreComparison.Space
  ) throws(StoreError) {
    space.comparedBlockCount += 1
    let tokenCount: Int
    do throws(StoreError) {
      tokenCount = try a.tier.record(of: BlockKey(space: a.space.id, hash: hash))?.tokens.count ?? 0
    } catch  where error.code == .damaged {
      tokenCount = a.space.layout.blockTokenCount
    }
    var comparer = RowComparer(
      RowComparer.Side(tier: a.tier, space: a.space, blocks: [hash]),
      RowComparer.Side(tier: b.tier, space: b.space, blocks: [hash]))
    guard try !comparer.compare(tokenCount: tokenCount).isEqual else { return }
    space.differentBlockCount += 1
    if space.differentBlocks.count < StoreComparison.differentBlockLimit { space.differentBlocks.append(hash) }
  }

  // MARK: Sessions

  private struct SessionKey: Hashable {
    /// The place of the space's pair.
    var pair: Int
    var name: String
  }

  /// What is kept of one store's sessions while the other's are read.
  private struct Digest: Hashable {
    var space: SpaceID
    var tokenCount: Int
    var tokens: BlockHash
    var blocks: BlockHash
    var metadata: BlockHash
    var checkpointByteCount: Int

    init(_ record: SessionRecord) {
      space = record.space
      tokenCount = record.tokens.count
      tokens = record.tokens.withUnsafeBytes { Self.digest($0) }
      blocks = Self.digest(of: record.blocks.map(\.description))
      metadata = Self.digest(of: record.comparedMetadata.inNameOrder.flatMap { [$0.0, $0.1] })
      checkpointByteCount = record.checkpointByteCount
    }

    private static func digest(_ bytes: UnsafeRawBufferPointer) -> BlockHash {
      var digest = RowDigest()
      digest.update(bytes)
      return digest.finalize()
    }

    private static func digest(of words: [String]) -> BlockHash {
      var digest = RowDigest()
      for word in words {
        withUnsafeBytes(of: word.utf8.count) { digest.update($0) }
        Array(word.utf8).withUnsafeBytes { digest.update($0) }
      }
      return digest.finalize()
    }
  }

  private static func sessions(
    _ tierA: DiskTier, _ tierB: DiskTier, _ pairs: [SpacePair], isDeep: Bool, _ comparison: inout StoreComparison
  ) throws(StoreError) {
    func places(_ id: (SpacePair) -> SpaceID?) -> [SpaceID: Int] {
      var places: [SpaceID: Int] = [:]
      for (place, pair) in pairs.enumerated() { if let id = id(pair) { places[id] = place } }
      return places
    }
    let (placesA, placesB) = (places { $0.a?.id }, places { $0.b?.id })
    var known: [SessionKey: Digest] = [:]
    try tierA.scanSessions { (_, record) throws(StoreError) in
      if let place = placesA[record.space] { known[SessionKey(pair: place, name: record.name)] = Digest(record) }
      return true
    }
    comparison.a.sessionCount = known.count
    var suspects: [(SessionKey, a: Digest, b: Digest)] = []
    try tierB.scanSessions { (_, record) throws(StoreError) in
      guard let place = placesB[record.space] else { return true }
      comparison.b.sessionCount += 1
      let key = SessionKey(pair: place, name: record.name)
      let digest = Digest(record)
      if let twin = known.removeValue(forKey: key) {
        suspects.append((key, twin, digest))
      } else {
        comparison.onlyInB.append(.init(space: record.space, name: record.name, tokenCount: record.tokens.count))
      }
      return true
    }
    comparison.onlyInA = known.map { .init(space: $1.space, name: $0.name, tokenCount: $1.tokenCount) }
      .sorted { ($0.space.rawValue, $0.name) < ($1.space.rawValue, $1.name) }
    for (key, a, b) in suspects {
      if let change = try change(key.name, (tierA, a), (tierB, b), isDeep: isDeep) {
        comparison.changed.append(change)
      } else {
        comparison.equalSessionCount += 1
      }
    }
    comparison.a.blockCount = comparison.spaces.reduce(0) { $0 + $1.blockCountA }
    comparison.b.blockCount = comparison.spaces.reduce(0) { $0 + $1.blockCountB }
  }

  /// Nil where the two are the same.
  private static func change(
    _ name: String, _ a: (tier: DiskTier, digest: Digest), _ b: (tier: DiskTier, digest: Digest), isDeep: Bool
  ) throws(StoreError) -> StoreComparison.Change? {
    var differences: [String] = []
    if a.digest.tokens != b.digest.tokens { differences.append("tokens") }
    if a.digest.blocks != b.digest.blocks { differences.append("blocks") }
    if a.digest.metadata != b.digest.metadata { differences.append("metadata") }
    var hasEqualCheckpoints = a.digest.checkpointByteCount == b.digest.checkpointByteCount
    var commonTokenCount = min(a.digest.tokenCount, b.digest.tokenCount)
    if differences.first == "tokens" || (isDeep && hasEqualCheckpoints && a.digest.checkpointByteCount > 0) {
      // Gone meanwhile: the digests are what is left to tell.
      if let first = try a.tier.session(space: a.digest.space, name: name),
        let second = try b.tier.session(space: b.digest.space, name: name)
      {
        commonTokenCount = commonCount(first.tokens, second.tokens)
        if isDeep { hasEqualCheckpoints = try haveEqualCheckpoints((a.tier, first), (b.tier, second)) }
      }
    }
    if !hasEqualCheckpoints { differences.append("checkpoint") }
    guard !differences.isEmpty else { return nil }
    return StoreComparison.Change(
      a: .init(space: a.digest.space, name: name, tokenCount: a.digest.tokenCount),
      b: .init(space: b.digest.space, name: name, tokenCount: b.digest.tokenCount),
      commonTokenCount: commonTokenCount, differences: differences)
  }
}
