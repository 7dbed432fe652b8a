import KVBlocks
import KVDiskTier

extension PrefixTree: JSONConvertible {
  package var json: JSONValue {
    var members = amount.members
    members["spaces"] = JSONValue(spaces)
    members["sessions"] = .integer(sessionCount)
    members["strayBlocks"] = .integer(strayBlockCount)
    members["damagedBlocks"] = .integer(damagedBlockCount)
    members["damagedSessions"] = .integer(damagedSessionCount)
    members["oneSnapshot"] = .bool(isOneSnapshot)
    return .object(members)
  }
}

extension PrefixTree.Amount {
  var members: [String: JSONValue] {
    [
      "blocks": .integer(blockCount), "tokens": .integer(tokenCount),
      "bytes": ["rows": .integer(rowByteCount), "frames": .integer(frameByteCount)],
    ]
  }
}

extension PrefixTree.Space: JSONConvertible {
  package var json: JSONValue {
    var members = amount.members
    members["id"] = .unsigned(UInt64(id.rawValue))
    members["model"] = .string(model)
    members["blockTokens"] = .integer(blockTokenCount)
    members["root"] = .string(root.description)
    members["share"] = .number(share)
    members["sessions"] = .integer(sessionCount)
    members["emptySessions"] = .integer(emptySessionCount)
    members["lostSessions"] = .integer(lostSessionCount)
    members["children"] = JSONValue(children)
    members["other"] = other?.json ?? .null
    return .object(members)
  }
}

extension PrefixTree.Node: JSONConvertible {
  package var json: JSONValue {
    var members = own.members
    members["first"] = .string(first.description)
    members["last"] = .string(last.description)
    members["tokenOffset"] = .integer(tokenOffset)
    members["subtree"] = .object(subtree.members)
    members["share"] = .number(share)
    members["sessions"] = .integer(sessionCount)
    members["endingSessions"] = [
      "count": .integer(endingSessionCount), "names": .array(endingSessions.map { .string($0) }),
    ]
    members["lastUseMicroseconds"] = .unsigned(lastUseMicroseconds)
    members["stray"] = .bool(isStray)
    members["text"] = JSONValue(text)
    members["children"] = JSONValue(children)
    members["other"] = other?.json ?? .null
    return .object(members)
  }
}

extension PrefixTree.Other: JSONConvertible {
  package var json: JSONValue {
    var members = amount.members
    members["children"] = .integer(childCount)
    members["sessions"] = .integer(sessionCount)
    return .object(members)
  }
}
