import KVBlocks

/// What a transaction does to the contents. It works on a copy, so that a refused batch leaves nothing behind.
extension MemoryColdTier.Contents {
  mutating func write(_ write: ColdBatch.Write, roots: Set<BlockKey>) -> ColdCommit.WriteOutcome {
    let descriptor = write.frame.descriptor
    let key = descriptor.key
    if let old = blocks[key] {
      guard write.replacesDamaged else { return .alreadyStored }
      byteCount -= old.payload.count
    } else {
      let parent = BlockKey(space: key.space, hash: descriptor.parent)
      guard roots.contains(parent) || blocks[parent] != nil else { return .orphaned }
      children[parent, default: []].append(key.hash)
    }
    let payload = Array(write.frame.bytes)
    blocks[key] = MemoryColdTier.StoredBlock(descriptor: descriptor, payload: payload, lastUse: write.lastUse)
    byteCount += payload.count
    return .stored
  }

  mutating func perform(_ operation: SessionOperation) -> ColdCommit.OperationOutcome {
    switch operation {
    case .put(let record, _, let condition):
      return put(record, condition)
    case .rename(let space, let from, let to):
      guard let record = sessions[.init(space: space, name: from)] else { return .failed(Self.notFound(from)) }
      guard sessions[.init(space: space, name: to)] == nil else { return .failed(Self.alreadyExists(to)) }
      sessions[.init(space: space, name: from)] = nil
      var renamed = record
      renamed.name = to
      sessions[.init(space: space, name: to)] = renamed
      return .done(revision: 0)
    case .delete(let space, let name):
      guard let record = sessions.removeValue(forKey: .init(space: space, name: name)) else {
        return .failed(Self.notFound(name))
      }
      count(record, by: -1)
      return .done(revision: 0)
    }
  }

  private mutating func put(_ record: SessionRecord, _ condition: SessionOperation.Condition)
    -> ColdCommit.OperationOutcome
  {
    let name = MemoryColdTier.SessionName(space: record.space, name: record.name)
    let old = sessions[name]
    switch condition {
    case .absent:
      if old != nil { return .failed(Self.alreadyExists(record.name)) }
    case .revision(let revision):
      guard let old else { return .failed(Self.notFound(record.name)) }
      guard old.revision == revision else {
        return .failed(StoreError(.conflict, "\(record.name) was changed meanwhile; resume it again"))
      }
    }
    let missing = record.blocks.filter { blocks[BlockKey(space: record.space, hash: $0)] == nil }
    guard missing.isEmpty else { return .missingBlocks(missing) }
    if let old { count(old, by: -1) }
    var stored = record
    stored.revision = (old?.revision ?? 0) + 1
    sessions[name] = stored
    count(stored, by: 1)
    return .done(revision: stored.revision)
  }

  private mutating func count(_ record: SessionRecord, by step: Int) {
    for hash in record.blocks {
      let key = BlockKey(space: record.space, hash: hash)
      references[key, default: 0] += step
      if references[key] == 0 { references[key] = nil }
    }
  }

  /// Deletes the least recently used blocks that nothing needs. Nil where that is not enough.
  mutating func shrink(to quotaBytes: Int, keeping isKept: (BlockKey) -> Bool) -> Int? {
    var deletedCount = 0
    while byteCount > quotaBytes {
      let victim =
        blocks
        .filter { key, _ in children[key]?.isEmpty ?? true && references[key] == nil && !isKept(key) }
        .min { $0.value.lastUse < $1.value.lastUse }
      guard let victim else { return nil }
      delete(victim.key)
      deletedCount += 1
    }
    return deletedCount
  }

  mutating func delete(_ key: BlockKey) {
    for child in children[key] ?? [] { delete(BlockKey(space: key.space, hash: child)) }
    children[key] = nil
    references[key] = nil
    guard let block = blocks.removeValue(forKey: key) else { return }
    byteCount -= block.payload.count
    let parent = BlockKey(space: key.space, hash: block.descriptor.parent)
    children[parent]?.removeAll { $0 == key.hash }
  }

  private static func notFound(_ name: String) -> StoreError { StoreError(.notFound, "no session \(name)") }
  private static func alreadyExists(_ name: String) -> StoreError {
    StoreError(.alreadyExists, "a session \(name) exists; choose another name")
  }
}
