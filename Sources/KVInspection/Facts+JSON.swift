import KVBlocks
import KVDiskTier

extension StoreInfo: JSONConvertible {
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "path": .string(path), "opens": .bool(refusal == nil), "refusal": JSONValue(refusal),
    ]
    members["file"] = file?.json ?? .null
    if let contents {
      members["formatVersion"] = .integer(contents.formatVersion)
      members["storeID"] = .string(contents.storeID)
      members["createdMicroseconds"] = .unsigned(contents.createdMicroseconds)
      members["spaces"] = JSONValue(contents.spaces)
      members["stats"] = contents.statistics.json
    }
    return .object(members)
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

extension StoreStatistics: JSONConvertible {
  package var json: JSONValue {
    [
      "sessions": .integer(sessionCount),
      "blocks": [
        "unique": .integer(uniqueBlockCount), "references": .integer(blockReferenceCount),
        "deletable": .integer(deletableBlockCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount), "file": .integer(fileByteCount),
        "checkpoints": .integer(checkpointByteCount),
      ],
      "damagedRecords": .integer(damagedRecordCount),
    ]
  }
}

extension SessionFacts: JSONConvertible {
  package var json: JSONValue { .object(members) }

  fileprivate var members: [String: JSONValue] {
    [
      "space": .unsigned(UInt64(space.rawValue)), "name": .string(name), "revision": .unsigned(revision),
      "createdMicroseconds": .unsigned(createdMicroseconds), "updatedMicroseconds": .unsigned(updatedMicroseconds),
      "expiresMicroseconds": JSONValue(expiresMicroseconds), "tokens": .integer(tokenCount),
      "blocks": [
        "count": .integer(blockCount), "shared": .integer(sharedBlockCount), "missing": .integer(missingBlockCount),
      ],
      "bytes": [
        "logical": .integer(logicalByteCount), "unique": .integer(uniqueByteCount),
        "compressed": .integer(compressedByteCount), "disk": .integer(diskByteCount),
        "checkpoint": .integer(checkpointByteCount), "origin": .integer(originByteCount),
      ],
      "metadata": .object(metadata.mapValues { .string($0) }),
    ]
  }
}

extension SessionDetail: JSONConvertible {
  package var json: JSONValue {
    var members = facts.members
    members["tokenIDs"] = .array(tokens.map { .integer(Int($0)) })
    members["blockTable"] = JSONValue(blocks)
    return .object(members)
  }
}

extension BlockFacts: JSONConvertible {
  package var json: JSONValue {
    [
      "hash": .string(hash.description), "tokenOffset": .integer(tokenOffset), "tokens": .integer(tokenCount),
      "stored": .bool(isStored), "sessions": .integer(sessionCount),
      "lastUseMicroseconds": .unsigned(lastUseMicroseconds),
      "bytes": [
        "payload": .integer(payloadByteCount), "frame": .integer(frameByteCount), "disk": .integer(diskByteCount),
      ],
    ]
  }
}

extension VerifyReport: JSONConvertible {
  package var json: JSONValue {
    [
      "path": .string(path), "deep": .bool(isDeep), "sound": .bool(isSound), "usable": .bool(isUsable),
      "findings": JSONValue(findings), "file": file?.json ?? .null, "salvageable": salvageable?.json ?? .null,
    ]
  }
}

extension VerifyFinding: JSONConvertible {
  package var json: JSONValue {
    [
      "kind": .string(kind), "block": JSONValue(block?.hash.description),
      "space": block.map { .unsigned(UInt64($0.space.rawValue)) } ?? .null, "session": JSONValue(session),
      "message": .string(message),
    ]
  }
}

extension LMDBFileReport: JSONConvertible {
  package var json: JSONValue {
    let tables = tables.map { table -> JSONValue in
      [
        "name": .string(table.name), "entries": .unsigned(table.entryCount), "depth": .integer(table.depth),
        "branchPages": .unsigned(table.branchPageCount), "leafPages": .unsigned(table.leafPageCount),
        "overflowPages": .unsigned(table.overflowPageCount),
      ]
    }
    return [
      "bytes": .unsigned(fileByteCount), "pageBytes": .integer(pageByteCount), "lastPage": .unsigned(lastPage),
      "transaction": .unsigned(transactionID), "freePages": .unsigned(freePageCount),
      "unreachablePages": .unsigned(unreachablePageCount), "bytesRead": .unsigned(byteCountRead),
      "tables": .array(tables), "findings": .array(findings.map { .string($0.description) }),
    ]
  }
}

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
