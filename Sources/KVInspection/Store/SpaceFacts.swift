import KVBlocks

/// A cache space and what it holds.
package struct SpaceFacts: Hashable, Sendable {
  package var space: SpaceRecord
  package var count: SpaceCount

  init(_ space: SpaceRecord, _ count: SpaceCount) {
    self.space = space
    self.count = count
  }

  package var sessionCount: Int { count.sessionCount }
  package var blockCount: Int { count.blockCount }
  package var referenceCount: Int { count.referenceCount }
  package var logicalByteCount: Int { count.logicalByteCount }
  package var uniqueByteCount: Int { count.uniqueByteCount }
  package var compressedByteCount: Int { count.compressedByteCount }
  package var diskByteCount: Int { count.diskByteCount }
}

extension SpaceFacts: JSONConvertible {
  package var json: JSONValue {
    let layout = space.layout
    let planes = layout.planes.map { plane -> JSONValue in
      [
        "kind": .string("\(plane.plane.kind)"), "layer": .integer(plane.plane.layer),
        "elementType": .string(plane.elementType.name), "rowBytes": .integer(plane.rowByteCount),
      ]
    }
    let members: [String: JSONValue] = [
      "root": .string(space.root.description), "adapter": .string(space.fingerprint.adapter),
      "vllmSeed": JSONValue(space.fingerprint.vllmSeed),
      "settings": .object(space.fingerprint.settings.mapValues { .string($0) }),
      "blockTokens": .integer(layout.blockTokenCount), "tokenBytes": .integer(layout.tokenByteCount),
      "planes": .array(planes),
    ]
    return .object(countMembers.merging(members) { $1 })
  }

  /// What it is called and what it holds, without its layout.
  var countJSON: JSONValue { .object(countMembers) }

  private var countMembers: [String: JSONValue] {
    [
      "id": .unsigned(UInt64(space.id.rawValue)), "model": .string(space.fingerprint.model),
      "salted": .bool(!space.fingerprint.salt.isEmpty), "sessions": .integer(sessionCount),
      "tokens": .integer(count.tokenCount),
      "blocks": [
        "unique": .integer(blockCount), "references": .integer(referenceCount), "tails": .integer(count.tailCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount),
      ],
    ]
  }
}
