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
        "frameSamples": .integer(ReportOptions.frameSampleLimit),
      ],
      "info": info.json, "health": JSONValue(health.items),
    ]
    members["contents"] = contents?.json ?? .null
    return .object(members)
  }
}

extension ReportFacts.Contents: JSONConvertible {
  package var json: JSONValue {
    [
      "file": file?.json ?? .null, "sessions": sessions.json, "sharing": sharing.json, "planes": JSONValue(planes),
      "ages": JSONValue(use.ages), "holders": JSONValue(use.holders), "tree": tree.json,
    ]
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
      "count": .integer(sessionCount), "expired": .integer(expiredCount), "expiredBytes": .integer(expiredByteCount),
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

extension PlaneCompression: JSONConvertible {
  package var json: JSONValue {
    [
      "space": .unsigned(UInt64(space.rawValue)), "layer": .integer(plane.layer), "kind": .string("\(plane.kind)"),
      "elementType": .string(elementType.name), "frames": .integer(frameCount), "blocks": .integer(blockCount),
      "bytes": ["rows": .integer(rawByteCount), "stored": .integer(storedByteCount)],
    ]
  }
}

extension BlockUse.Bin: JSONConvertible {
  package var json: JSONValue {
    ["title": .string(title), "blocks": .integer(blockCount), "frameBytes": .integer(frameByteCount)]
  }
}
