import KVBlocks
import KVCodec
import KVDiskTier

/// One stored block with all that can be said of it.
package struct BlockDetail: Hashable, Sendable {
  /// Blocks of the chain that follow one another and are held by as many sessions.
  package struct ChainRun: Hashable, Sendable {
    package var first: BlockHash
    package var last: BlockHash
    package var blockCount: Int
    package var tokenCount: Int
    package var sessionCount: Int
    package var rowByteCount: Int
    package var frameByteCount: Int
  }

  /// What the frame's header says of a plane.
  package struct StoredPlane: Hashable, Sendable {
    /// The codec's own names: "none", "bitPlanes"; "none", "lz4".
    package var filter: String
    package var compressor: String
    /// Bytes of rows, and those that they are stored in.
    package var rawByteCount: Int
    package var storedByteCount: Int
    /// Where the stored bytes begin in the frame.
    package var offset: Int
    /// XXH3-64 of the stored bytes.
    package var checksum: UInt64

    init(_ entry: FrameHeader.PlaneEntry) {
      (filter, compressor) = ("\(entry.filter)", "\(entry.compressor)")
      (rawByteCount, storedByteCount) = (entry.rawByteCount, entry.storedByteCount)
      (offset, checksum) = (entry.offset, entry.checksum)
    }

    /// For people: "bit planes, LZ4".
    package var codecName: String {
      let names = [filter == "bitPlanes" ? "bit planes" : filter, compressor == "lz4" ? "LZ4" : compressor]
        .filter { $0 != "none" }
      return names.isEmpty ? "as they are" : names.joined(separator: ", ")
    }
  }

  package struct PlaneDetail: Hashable, Sendable {
    /// The plane's place in the layout.
    package var index: Int
    package var layout: PlaneLayout
    /// Nil where the frame's header cannot be believed.
    package var stored: StoredPlane?
    /// Why its rows cannot be had; nil where checksum and rows hold.
    package var failure: String?
    /// Nil for rows that cannot be had, or of no numbers.
    package var numbers: NumericSummary?
  }

  package var space: SpaceRecord
  package var record: BlockRecord
  /// From the root on, the block itself last. Where a parent is missing it begins after it.
  package var chain: [ChainRun]
  /// Why the chain does not reach the root; nil where it does.
  package var chainFailure: String?
  /// Sessions that hold it, the first of their names, by space and name.
  package var sessions: [String]
  package var sessionCount: Int
  package var frame: FrameExamination
  /// The planes that were asked for.
  package var planes: [PlaneDetail]
  /// What is wrong, in words, planes left out: those tell themselves.
  package var findings: [String]
  /// What its tokens say, where that is known.
  package var text: String?
  /// What a session that holds it keeps as its own words, where there is no other text.
  package var sessionText: String?

  /// Tokens before the block, from the root; less where the chain is broken.
  package var tokenOffset: Int { chain.reduce(0) { $0 + $1.tokenCount } - record.tokens.count }
  package var diskByteCount: Int { frame.extents.reduce(0) { $0 + $1.diskByteCount } }
  package var isSound: Bool { findings.isEmpty && planes.allSatisfy { $0.failure == nil } }
}

extension BlockDetail: JSONConvertible {
  package var json: JSONValue {
    let header = frame.header
    return [
      "hash": .string(record.key.hash.description), "space": .unsigned(UInt64(space.id.rawValue)),
      "model": .string(space.fingerprint.model), "parent": .string(record.parent.description),
      "tokens": .integer(record.tokens.count), "tokenOffset": .integer(tokenOffset),
      "tokenIDs": .array(record.tokens.map { .integer(Int($0)) }),
      "extra": .string(Hex.string(of: record.encodedExtra)),
      "lastUseMicroseconds": .unsigned(record.lastUseMicroseconds),
      "bytes": [
        "rows": .integer(record.payloadByteCount), "frame": .integer(record.frame.byteCount),
        "disk": .integer(diskByteCount),
      ],
      "chain": JSONValue(chain), "chainFailure": JSONValue(chainFailure),
      "sessions": [
        "counted": .integer(Int(record.sessionCount)), "found": .integer(sessionCount),
        "names": .array(sessions.map { .string($0) }),
      ],
      "frame": [
        "id": .unsigned(record.frame.id), "failure": JSONValue(frame.failure),
        "headerBytes": header.map { .integer($0.headerByteCount) } ?? .null,
        "headerChecksum": .string(Hex.string(of: withUnsafeBytes(of: record.frameChecksum.bigEndian) { Array($0) })),
        "extents": .array(frame.extents.map(Self.json)),
      ],
      "planes": JSONValue(planes), "findings": .array(findings.map { .string($0) }), "sound": .bool(isSound),
      "text": JSONValue(text), "sessionText": JSONValue(sessionText),
    ]
  }

  private static func json(_ extent: FrameExamination.Extent) -> JSONValue {
    [
      "payloadBytes": .integer(extent.payloadByteCount), "diskBytes": .integer(extent.diskByteCount),
      "failure": JSONValue(extent.failure),
    ]
  }
}

extension BlockDetail.ChainRun: JSONConvertible {
  package var json: JSONValue {
    [
      "first": .string(first.description), "last": .string(last.description), "blocks": .integer(blockCount),
      "tokens": .integer(tokenCount), "sessions": .integer(sessionCount),
      "bytes": ["rows": .integer(rowByteCount), "frames": .integer(frameByteCount)],
    ]
  }
}

extension BlockDetail.PlaneDetail: JSONConvertible {
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "index": .integer(index), "kind": .string("\(layout.plane.kind)"), "layer": .integer(layout.plane.layer),
      "elementType": .string(layout.elementType.name), "rowBytes": .integer(layout.rowByteCount),
      "sound": .bool(failure == nil), "failure": JSONValue(failure), "numbers": numbers?.json ?? .null,
      "codec": .null,
    ]
    if let stored {
      members["codec"] = [
        "filter": .string(stored.filter), "compressor": .string(stored.compressor),
        "rawBytes": .integer(stored.rawByteCount), "storedBytes": .integer(stored.storedByteCount),
        "offset": .integer(stored.offset),
        "checksum": .string(Hex.string(of: withUnsafeBytes(of: stored.checksum.bigEndian) { Array($0) })),
      ]
    }
    return .object(members)
  }
}
