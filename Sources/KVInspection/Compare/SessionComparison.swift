import KVBlocks
import KVDiskTier

/// What two sessions have in common, and where they part.
package struct SessionComparison: Hashable, Sendable {
  package struct Side: Hashable, Sendable {
    package var path: String
    package var space: SpaceID
    package var name: String
    package var tokenCount: Int
    package var blockCount: Int
    package var checkpointByteCount: Int
  }

  /// The first place where two lists are not the same; nil beyond the end of one.
  package struct Place<Item: Hashable & Sendable>: Hashable, Sendable {
    package var index: Int
    package var a: Item?
    package var b: Item?
  }

  package var a: Side
  package var b: Side
  /// What makes their cache spaces two; none for one space.
  package var spaceDifferences: [String]
  /// Tokens that both begin with.
  package var commonTokenCount: Int
  package var firstToken: Place<Token>?
  /// Blocks that both begin with.
  package var commonBlockCount: Int
  package var firstBlock: Place<BlockHash>?
  /// The first token of the first block that differs.
  package var firstBlockToken: Int?
  /// Of the tokens that both begin with.
  package var rows: RowComparison
  package var hasEqualCheckpoints: Bool
  /// Names of metadata that one lacks or that have other values.
  package var metadataDifferences: [String]

  package var isEqual: Bool {
    firstToken == nil && rows.isEqual && hasEqualCheckpoints && metadataDifferences.isEmpty
  }
}

extension SessionComparison: JSONConvertible {
  package var json: JSONValue {
    func side(_ side: Side) -> JSONValue {
      [
        "path": .string(side.path), "space": .unsigned(UInt64(side.space.rawValue)), "name": .string(side.name),
        "tokens": .integer(side.tokenCount), "blocks": .integer(side.blockCount),
        "checkpointBytes": .integer(side.checkpointByteCount),
      ]
    }
    let token: JSONValue =
      firstToken.map { place in
        [
          "position": .integer(place.index), "a": place.a.map { .integer(Int($0)) } ?? .null,
          "b": place.b.map { .integer(Int($0)) } ?? .null,
        ]
      } ?? .null
    let block: JSONValue =
      firstBlock.map { place in
        [
          "index": .integer(place.index), "token": .integer(firstBlockToken ?? 0),
          "a": JSONValue(place.a?.description), "b": JSONValue(place.b?.description),
        ]
      } ?? .null
    return [
      "kind": "sessions", "equal": .bool(isEqual), "a": side(a), "b": side(b),
      "spaces": ["same": .bool(spaceDifferences.isEmpty), "differences": .array(spaceDifferences.map { .string($0) })],
      "tokens": ["common": .integer(commonTokenCount), "first": token],
      "blocks": ["common": .integer(commonBlockCount), "first": block], "rows": rows.json,
      "checkpoint": ["equal": .bool(hasEqualCheckpoints)],
      "metadata": ["differences": .array(metadataDifferences.map { .string($0) })],
    ]
  }
}

extension StorePair {
  /// Compares two sessions: tokens, blocks, the rows of the tokens that both begin with, checkpoint and metadata. Names
  /// and times are not compared, nor what an import noted of its file.
  /// - Throws: `notFound`, `invalidArgument`, and what opening throws. Damaged rows are an answer.
  package func compare(_ first: SessionChoice, _ second: SessionChoice) throws(StoreError) -> SessionComparison {
    try withTiers { (tierA, tierB) throws(StoreError) in
      let (spaceA, a) = try first.find(in: tierA)
      let (spaceB, b) = try second.find(in: tierB)
      let commonTokenCount = Self.commonCount(a.tokens, b.tokens)
      let commonBlockCount = Self.commonCount(a.blocks, b.blocks)
      var rows = RowComparer(
        RowComparer.Side(tier: tierA, space: spaceA, blocks: a.blocks),
        RowComparer.Side(tier: tierB, space: spaceB, blocks: b.blocks))
      let (metadataA, metadataB) = (a.comparedMetadata, b.comparedMetadata)
      let names = Set(metadataA.keys).union(metadataB.keys)
      return SessionComparison(
        a: SessionComparison.Side(a, path: self.a.path), b: SessionComparison.Side(b, path: self.b.path),
        spaceDifferences: SpaceDifference.names(spaceA, spaceB), commonTokenCount: commonTokenCount,
        firstToken: Self.firstDifference(a.tokens, b.tokens, after: commonTokenCount),
        commonBlockCount: commonBlockCount,
        firstBlock: Self.firstDifference(a.blocks, b.blocks, after: commonBlockCount),
        firstBlockToken: commonBlockCount * spaceA.layout.blockTokenCount,
        rows: try rows.compare(tokenCount: commonTokenCount),
        hasEqualCheckpoints: try Self.haveEqualCheckpoints((tierA, a), (tierB, b)),
        metadataDifferences: names.filter { metadataA[$0] != metadataB[$0] }.sorted())
    }
  }

  static func commonCount<Item: Equatable>(_ a: [Item], _ b: [Item]) -> Int {
    zip(a, b).prefix { $0 == $1 }.count
  }

  private static func firstDifference<Item: Hashable & Sendable>(
    _ a: [Item], _ b: [Item], after count: Int
  ) -> SessionComparison.Place<Item>? {
    guard count < max(a.count, b.count) else { return nil }
    return SessionComparison.Place(
      index: count, a: count < a.count ? a[count] : nil, b: count < b.count ? b[count] : nil)
  }

  static func haveEqualCheckpoints(
    _ a: (tier: DiskTier, session: SessionRecord), _ b: (tier: DiskTier, session: SessionRecord)
  ) throws(StoreError) -> Bool {
    guard a.session.checkpointByteCount == b.session.checkpointByteCount else { return false }
    guard a.session.checkpointByteCount > 0 else { return true }
    func digest(_ side: (tier: DiskTier, session: SessionRecord)) throws(StoreError) -> String? {
      do throws(StoreError) {
        guard let bytes = try side.tier.checkpoint(space: side.session.space, name: side.session.name) else {
          return nil
        }
        var digest = RowDigest()
        bytes.withUnsafeBytes { digest.update($0) }
        return digest.finalize().description
      } catch  where error.code == .damaged || error.code == .notFound {
        return nil
      }
    }
    guard let first = try digest(a), let second = try digest(b) else { return false }
    return first == second
  }
}

extension SessionRecord {
  /// Metadata without what `kvpager import` notes: the file's name and format, and when.
  var comparedMetadata: [String: String] { metadata.filter { !$0.key.hasPrefix("import.") } }
}

extension SessionComparison.Side {
  init(_ session: SessionRecord, path: String) {
    self.init(
      path: path, space: session.space, name: session.name, tokenCount: session.tokens.count,
      blockCount: session.blocks.count, checkpointByteCount: session.checkpointByteCount)
  }
}
