import KVBlocks
import KVDiskTier

extension RawStoreReport: JSONConvertible {
  package var json: JSONValue {
    func frames(_ frames: Frames) -> [String: JSONValue] {
      [
        "whole": .integer(frames.wholeCount), "damaged": .integer(frames.damagedCount),
        "wholeBytes": .integer(frames.wholeByteCount),
      ]
    }
    var blocks = frames(blocks)
    blocks["salvaged"] = .integer(salvagedBlockCount)
    blocks["salvagedBytes"] = .integer(salvagedByteCount)
    blocks["cached"] = .integer(cachedBlockCount)
    return [
      "bytes": .unsigned(fileByteCount), "extents": .integer(extentCount), "blocks": .object(blocks),
      "checkpoints": .object(frames(checkpoints)), "incomplete": .integer(incompleteCount),
      "unknown": .integer(unknownCount), "complete": .bool(!hasLosses), "spaces": JSONValue(spaces),
      "sessions": [
        "whole": .integer(wholeSessionCount), "partial": .integer(sessions.count - wholeSessionCount),
        "older": .integer(sessions.count { $0.fate == .older }),
        "cut": .integer(sessions.count { $0.fate == .partial }),
        "lost": .integer(lostSessionCount), "damaged": .integer(damagedSessionCount),
        "tableRead": .bool(isSessionTableRead), "deleted": .integer(deletedSessionCount), "list": JSONValue(sessions),
      ],
    ]
  }
}

extension RawStoreReport.Space: JSONConvertible {
  package var json: JSONValue {
    [
      "id": .unsigned(UInt64(id.rawValue)), "model": .string(model), "recordLost": .bool(isPlaceholder),
      "blocks": .integer(blockCount), "sessions": .integer(sessionCount),
    ]
  }
}

extension RawStoreReport.Session: JSONConvertible {
  package var json: JSONValue {
    [
      "space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "state": .string(fate.rawValue),
      "revision": .unsigned(revision), "updatedMicroseconds": .unsigned(updatedMicroseconds),
      "tokens": .integer(tokenCount), "salvagedTokens": .integer(salvagedTokenCount), "blocks": .integer(blockCount),
      "missingBlocks": .integer(missingBlockCount), "lacksCheckpoint": .bool(lacksCheckpoint),
      "reason": reason.isEmpty ? .null : .string(reason),
    ]
  }
}
