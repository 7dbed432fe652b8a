import KVBlocks
import KVDiskTier

extension ReportFacts: JSONConvertible {
  package var json: JSONValue {
    let health = ReportHealth(self)
    var members: [String: JSONValue] = [
      "programVersion": .string(options.programVersion), "microseconds": .unsigned(nowMicroseconds),
      "limits": [
        "depth": .integer(options.depth), "sessions": .integer(options.sessionLimit),
        "matrixSessions": .integer(ReportOptions.matrixLimit), "treeNodes": .integer(ReportOptions.treeNodeLimit),
        "treeWidth": .integer(ReportOptions.treeWidth),
      ],
      "info": info.json, "health": JSONValue(health.items),
    ]
    members["activity"] = activity?.json ?? .null
    members["contents"] = contents?.json ?? .null
    return .object(members)
  }
}

extension ReportFacts.Contents: JSONConvertible {
  package var json: JSONValue {
    ["file": file.json, "sessions": sessions.json, "sharing": sharing.json, "tree": tree.json]
  }
}

extension ReportHealth.Item: JSONConvertible {
  package var json: JSONValue {
    ["level": .string("\(level)"), "title": .string(title), "text": .string(text), "remedy": .string(remedy)]
  }
}

extension FileComposition: JSONConvertible {
  package var json: JSONValue {
    [
      "frames": .integer(frameByteCount), "checkpoints": .integer(checkpointByteCount),
      "sessionBodies": .integer(sessionBodyByteCount), "padding": .integer(paddingByteCount),
      "tree": .integer(treeByteCount), "free": .integer(freeByteCount),
      "unreachable": .integer(unreachableByteCount), "total": .integer(totalByteCount),
    ]
  }
}

extension SessionRanking: JSONConvertible {
  package var json: JSONValue {
    [
      "count": .integer(sessionCount), "expiredBytes": .integer(expiredByteCount),
      "incomplete": .integer(incompleteCount), "top": JSONValue(top),
      "rest": [
        "sessions": .integer(rest.sessionCount), "tokens": .integer(rest.tokenCount),
        "blocks": .integer(rest.blockCount),
        "bytes": ["logical": .integer(rest.logicalByteCount), "unique": .integer(rest.uniqueByteCount)],
      ],
    ]
  }
}

extension SharedPrefixes: JSONConvertible {
  package var json: JSONValue {
    [
      "sessions": .array(
        members.map {
          [
            "space": .unsigned(UInt64($0.space.rawValue)), "name": .string($0.name), "tokens": .integer($0.tokenCount),
          ]
        }),
      "commonTokens": .array(tokenCounts.map { .array($0.map { .integer($0) }) }),
    ]
  }
}
