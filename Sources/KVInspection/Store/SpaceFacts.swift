import KVBlocks
import KVDiskTier

/// A cache space and what it holds.
package struct SpaceFacts: Hashable, Sendable {
  package var space: SpaceRecord
  package var sessionCount: Int
  package var blockCount: Int
  package var referenceCount: Int
  package var logicalByteCount: Int
  package var uniqueByteCount: Int
  package var compressedByteCount: Int

  /// - Parameter counts: nil for a space that holds nothing.
  init(_ space: SpaceRecord, _ counts: DiskStatistics.Blocks?) {
    self.space = space
    sessionCount = counts?.sessionCount ?? 0
    blockCount = counts?.uniqueCount ?? 0
    referenceCount = counts?.referenceCount ?? 0
    logicalByteCount = counts?.logicalPayloadBytes ?? 0
    uniqueByteCount = counts?.uniquePayloadBytes ?? 0
    compressedByteCount = counts?.frameBytes ?? 0
  }
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
    return [
      "id": .unsigned(UInt64(space.id.rawValue)), "root": .string(space.root.description),
      "model": .string(space.fingerprint.model), "adapter": .string(space.fingerprint.adapter),
      "salted": .bool(!space.fingerprint.salt.isEmpty), "vllmSeed": JSONValue(space.fingerprint.vllmSeed),
      "settings": .object(space.fingerprint.settings.mapValues { .string($0) }),
      "blockTokens": .integer(layout.blockTokenCount), "tokenBytes": .integer(layout.tokenByteCount),
      "planes": .array(planes), "sessions": .integer(sessionCount),
      "blocks": ["unique": .integer(blockCount), "references": .integer(referenceCount)],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount),
      ],
    ]
  }
}
