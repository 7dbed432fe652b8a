import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// What processes do and did with the store; nil where nobody told: an older kvpager, a copy, a folder that cannot be
  /// written. Reads one small file, not the store.
  /// - Throws: nothing at present.
  package func activity() throws(StoreError) -> StoreActivity? { StoreActivity.read(directory: path) }
}

extension StoreActivity: JSONConvertible {
  package var json: JSONValue {
    [
      "sinceMicroseconds": .unsigned(sinceMicroseconds), "ended": .unsigned(endedCount), "total": total.json,
      "processes": JSONValue(processes),
    ]
  }
}

extension StoreActivity.Counters: JSONConvertible {
  package var json: JSONValue {
    var members: [String: JSONValue] = [:]
    for (name, path) in Self.fields { members[name] = .unsigned(self[keyPath: path]) }
    return .object(members)
  }
}

extension StoreActivity.Process: JSONConvertible {
  package var json: JSONValue {
    [
      "processID": .integer(Int(processID)), "name": .string(name),
      "startedMicroseconds": .unsigned(startedMicroseconds), "updatedMicroseconds": .unsigned(updatedMicroseconds),
      "alive": .bool(isAlive), "readOnly": .bool(isReadOnly), "quotaBytes": JSONValue(quotaBytes),
      "memory": ["bytes": .unsigned(memoryBytes), "budgetBytes": .unsigned(memoryBudgetBytes)],
      "blocks": [
        "resident": .unsigned(residentBlocks), "pinned": .unsigned(pinnedBlocks), "dirty": .unsigned(dirtyBlocks),
      ],
      "counters": counters.json,
    ]
  }
}
