import KVPager

// What a store, its sessions and prefixes tell of themselves as JSON.

extension StoreStatistics: JSONConvertible {
  /// The members of `kvpager stats --json`, and "memory".
  package var json: JSONValue {
    [
      "sessions": .integer(disk.sessionCount),
      "blocks": [
        "unique": .integer(disk.uniqueBlockCount), "references": .integer(disk.blockReferenceCount),
        "deletable": .integer(disk.deletableBlockCount),
      ],
      "bytes": [
        "logical": .integer(disk.logicalBytes), "unique": .integer(disk.uniqueBytes),
        "compressed": .integer(disk.compressedBytes), "disk": .integer(disk.usedBytes),
        "file": .integer(disk.fileBytes), "checkpoints": .integer(disk.checkpointBytes),
        "quota": disk.quotaBytes.map { .integer($0) } ?? .null,
      ],
      "damagedRecords": .integer(disk.damagedRecordCount),
      "memory": memory.json,
    ]
  }
}

extension StoreStatistics.Memory: JSONConvertible {
  package var json: JSONValue {
    [
      "budgetBytes": .integer(budgetBytes), "allocatedBytes": .integer(allocatedBytes),
      "peakBytes": .integer(peakBytes),
      "frames": .integer(frameCount), "pinnedFrames": .integer(pinnedFrameCount),
      "dirtyFrames": .integer(dirtyFrameCount), "memoryHits": .integer(memoryHitCount),
      "diskHits": .integer(diskHitCount), "misses": .integer(missCount), "loads": .integer(loadCount),
      "joinedLoads": .integer(joinedLoadCount), "planeReads": .integer(planeReadCount),
      "evictions": .integer(evictionCount), "sharedBlocks": .integer(sharedBlockCount),
      "writtenBackBlocks": .integer(writtenBackBlockCount), "writtenBytes": .integer(writtenBytes),
      "transactions": .integer(transactionCount), "damagedBlocks": .integer(damagedBlockCount),
      "droppedBlocks": .integer(droppedBlockCount),
    ]
  }
}

extension GarbageReport: JSONConvertible {
  package var json: JSONValue {
    [
      "expiredSessions": .integer(expiredSessionCount), "deletedBlocks": .integer(deletedBlockCount),
      "freedBytes": .integer(freedBytes), "keptExtents": .integer(keptExtentCount),
    ]
  }
}

extension SessionInfo: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(name), "space": .integer(Int(space.rawValue)), "tokens": .integer(tokenCount),
      "blocks": .integer(blockCount), "committed": true, "checkpointBytes": .integer(checkpointByteCount),
      "metadata": .object(metadata.mapValues { .string($0) }), "created": .unsigned(createdMicroseconds),
      "updated": .unsigned(updatedMicroseconds), "expires": JSONValue(expiresMicroseconds),
    ]
  }
}

extension Session: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(name), "space": .integer(Int(space.id.rawValue)), "tokens": .integer(tokenCount),
      "blocks": .integer(blockCount), "committed": .bool(isCommitted),
      "checkpointBytes": .integer(checkpointByteCount), "metadata": .object(metadata.mapValues { .string($0) }),
      "created": .unsigned(createdMicroseconds),
      "updated": updatedMicroseconds == 0 ? .null : .unsigned(updatedMicroseconds),
      "expires": JSONValue(expiresMicroseconds),
    ]
  }
}

extension OpenPrefix: JSONConvertible {
  var json: JSONValue {
    [
      "tokens": .integer(prefix.tokenCount), "fullBlocks": .integer(prefix.fullBlockCount),
      "partialTokens": .integer(prefix.partialTokenCount), "memoryBlocks": .integer(prefix.memoryBlockCount),
    ]
  }
}
