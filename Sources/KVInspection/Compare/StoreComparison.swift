import KVBlocks

/// What two stores have in common. Cache spaces are paired by what they are for, whatever their ids.
package struct StoreComparison: Hashable, Sendable {
  package struct Side: Hashable, Sendable {
    package var path: String
    package var storeID: String
    package var sessionCount = 0
    package var blockCount = 0
    package var fileByteCount = 0
  }

  /// A cache space of either store, or of both.
  package struct Space: Hashable, Sendable {
    package var model: String
    package var blockTokenCount: Int
    /// Its id in each store; nil where it is not.
    package var a: SpaceID?
    package var b: SpaceID?
    /// Blocks stored in both.
    package var commonBlockCount = 0
    package var blockCountA = 0
    package var blockCountB = 0
    /// Of the blocks in both: how many were held against each other, and how many of those hold other rows or could not
    /// be read.
    package var comparedBlockCount = 0
    package var differentBlockCount = 0
    /// The first blocks that differ.
    package var differentBlocks: [BlockHash] = []
  }

  /// A session that is in one store.
  package struct Session: Hashable, Sendable {
    package var space: SpaceID
    package var name: String
    package var tokenCount: Int
  }

  /// A session that both stores have, in one space and of one name, and that is not the same.
  package struct Change: Hashable, Sendable {
    package var a: Session
    package var b: Session
    /// Tokens that both begin with.
    package var commonTokenCount: Int
    /// Of "tokens", "blocks", "metadata", "checkpoint".
    package var differences: [String]
  }

  package static let differentBlockLimit = 100

  package var a: Side
  package var b: Side
  package var isDeep: Bool
  package var spaces: [Space] = []
  package var onlyInA: [Session] = []
  package var onlyInB: [Session] = []
  package var changed: [Change] = []
  package var equalSessionCount = 0

  package var isEqual: Bool {
    onlyInA.isEmpty && onlyInB.isEmpty && changed.isEmpty
      && spaces.allSatisfy {
        $0.a != nil && $0.b != nil && $0.blockCountA == $0.commonBlockCount && $0.blockCountB == $0.commonBlockCount
          && $0.differentBlockCount == 0
      }
  }
}

extension StoreComparison: JSONConvertible {
  package var json: JSONValue {
    func side(_ side: Side) -> JSONValue {
      [
        "path": .string(side.path), "storeID": .string(side.storeID), "sessions": .integer(side.sessionCount),
        "blocks": .integer(side.blockCount), "fileBytes": .integer(side.fileByteCount),
      ]
    }
    return [
      "kind": "stores", "equal": .bool(isEqual), "deep": .bool(isDeep), "a": side(a), "b": side(b),
      "spaces": JSONValue(spaces),
      "sessions": [
        "equal": .integer(equalSessionCount), "onlyInA": JSONValue(onlyInA), "onlyInB": JSONValue(onlyInB),
        "changed": JSONValue(changed),
      ],
    ]
  }
}

extension StoreComparison.Session: JSONConvertible {
  package var json: JSONValue {
    ["space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "tokens": .integer(tokenCount)]
  }
}

extension StoreComparison.Change: JSONConvertible {
  package var json: JSONValue {
    [
      "a": a.json, "b": b.json, "commonTokens": .integer(commonTokenCount),
      "differences": .array(differences.map { .string($0) }),
    ]
  }
}

extension StoreComparison.Space: JSONConvertible {
  package var json: JSONValue {
    func id(_ id: SpaceID?) -> JSONValue { id.map { .unsigned(UInt64($0.rawValue)) } ?? .null }
    return [
      "model": .string(model), "blockTokens": .integer(blockTokenCount), "a": id(a), "b": id(b),
      "blocks": [
        "common": .integer(commonBlockCount), "onlyInA": .integer(blockCountA - commonBlockCount),
        "onlyInB": .integer(blockCountB - commonBlockCount), "compared": .integer(comparedBlockCount),
        "different": .integer(differentBlockCount),
        "differentHashes": .array(differentBlocks.map { .string($0.description) }),
      ],
    ]
  }
}
