import KVBlocks
import KVDiskTier

extension RawStoreReport: JSONConvertible {
  package var json: JSONValue {
    func frames(_ frames: Frames) -> JSONValue {
      [
        "whole": .integer(frames.wholeCount), "damaged": .integer(frames.damagedCount),
        "wholeBytes": .integer(frames.wholeByteCount),
      ]
    }
    let list = sessions.map { session -> JSONValue in
      [
        "space": .unsigned(UInt64(session.space.rawValue)), "name": .string(session.name),
        "tokens": .integer(session.tokenCount), "blocks": .integer(session.blockCount),
        "missingBlocks": .integer(session.missingBlockCount), "lacksCheckpoint": .bool(session.lacksCheckpoint),
      ]
    }
    return [
      "bytes": .unsigned(fileByteCount), "extents": .integer(extentCount), "blocks": frames(blocks),
      "checkpoints": frames(checkpoints), "incomplete": .integer(incompleteCount), "unknown": .integer(unknownCount),
      "sessions": [
        "whole": .integer(wholeSessionCount), "partial": .integer(sessions.count - wholeSessionCount),
        "damaged": .integer(damagedSessionCount), "list": .array(list),
      ],
    ]
  }
}
