import KVBlocks
import KVDiskTier

/// Bytes by plane, as the frames' headers tell them.
package struct PlaneStatistics: Hashable, Sendable {
  /// One plane of one space's blocks.
  package struct Entry: Hashable, Sendable {
    package var space: SpaceID
    package var plane: Plane
    package var elementType: ElementType
    /// Bytes of rows.
    package var rawByteCount: Int
    /// Bytes of the file, checked and compressed as they lie in frames.
    package var storedByteCount: Int
    /// Of the headers read: planes by what the codec did, "bitPlanes+lz4".
    package var codecs: [String: Int]
  }

  /// By space, then as the layout has them.
  package var entries: [Entry]
  /// Bytes of the frames' headers: hashes, tokens, checksums.
  package var headerByteCount: Int
  /// Frames whose headers were read.
  package var readFrameCount: Int
  /// All frames.
  package var frameCount: Int
  /// Frames that could not be read.
  package var damagedFrameCount: Int

  /// The figures are scaled from a part of the frames.
  package var isSampled: Bool { readFrameCount + damagedFrameCount < frameCount }

  /// Raw and stored bytes, summed up by a property of the planes, in the order of its first appearance.
  package func sums<Key: Hashable>(by key: (Entry) -> Key) -> [(key: Key, rawByteCount: Int, storedByteCount: Int)] {
    var sums: [(key: Key, rawByteCount: Int, storedByteCount: Int)] = []
    var places: [Key: Int] = [:]
    for entry in entries {
      let place = places[key(entry), default: sums.count]
      if place == sums.count {
        places[key(entry)] = place
        sums.append((key(entry), 0, 0))
      }
      sums[place].rawByteCount &+= entry.rawByteCount
      sums[place].storedByteCount &+= entry.storedByteCount
    }
    return sums
  }
}

extension PlaneStatistics: JSONConvertible {
  package var json: JSONValue {
    func bytes(_ raw: Int, _ stored: Int) -> JSONValue { ["raw": .integer(raw), "stored": .integer(stored)] }
    let planes = entries.map { entry -> JSONValue in
      [
        "space": .unsigned(UInt64(entry.space.rawValue)), "kind": .string("\(entry.plane.kind)"),
        "layer": .integer(entry.plane.layer), "elementType": .string(entry.elementType.name),
        "bytes": bytes(entry.rawByteCount, entry.storedByteCount),
        "codecs": .object(entry.codecs.mapValues { .integer($0) }),
      ]
    }
    let layers = sums { $0.plane.layer }.sorted { $0.key < $1.key }.map { sum -> JSONValue in
      ["layer": .integer(sum.key), "bytes": bytes(sum.rawByteCount, sum.storedByteCount)]
    }
    let kinds = sums { $0.plane.kind }.map { sum -> JSONValue in
      ["kind": .string("\(sum.key)"), "bytes": bytes(sum.rawByteCount, sum.storedByteCount)]
    }
    let types = sums { $0.elementType }.map { sum -> JSONValue in
      ["elementType": .string(sum.key.name), "bytes": bytes(sum.rawByteCount, sum.storedByteCount)]
    }
    return [
      "sampled": isSampled ? ["frames": .integer(readFrameCount), "of": .integer(frameCount)] : .null,
      "damagedFrames": .integer(damagedFrameCount), "headerBytes": .integer(headerByteCount),
      "planes": .array(planes), "layers": .array(layers), "kinds": .array(kinds), "elementTypes": .array(types),
    ]
  }
}
