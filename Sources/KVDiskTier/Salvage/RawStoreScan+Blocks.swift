import KVBlocks

/// Which blocks come back, and how recently they were used.
extension RawStoreScan {
  /// What blocks' records say: which frame is a block's newest, and when it was used last.
  mutating func readBlockRecords() throws(StoreError) {
    for place in blockRecords {
      let buffer = scratch.bytes(place.byteCount)
      guard try file.read(into: buffer, at: place.offset) == place.byteCount else { continue }
      let node = LMDBNode(UnsafeRawBufferPointer(buffer), at: 0)
      guard node.leafByteCount == place.byteCount, node.keyByteCount == Keys.blockByteCount else { continue }
      let key = UnsafeRawBufferPointer(rebasing: buffer[node.keyOffset..<node.valueOffset])
      let value = UnsafeRawBufferPointer(rebasing: buffer[node.valueOffset...])
      guard let key = Keys.block(of: key.bytes), let head = try? BlockFormat.decodeHead(value.bytes) else { continue }
      blocks.note(key, frame: head.frame.id, lastUse: head.lastUseMicroseconds)
    }
    blockRecords = []
  }

  /// Which blocks are written: those that chosen sessions hold, and where all is wanted every one that can be reached.
  mutating func settleBlocks(_ options: SalvageOptions) {
    for session in chosenSessions {
      guard let body = try? body(of: session.candidate) else { continue }
      for (index, hash) in body.record.blocks.prefix(session.blockCount).enumerated() {
        guard let block = blocks.index(of: BlockKey(space: session.key.space, hash: hash)) else { continue }
        blocks.hold(block, lastUse: body.record.updatedMicroseconds &+ UInt64(body.record.blocks.count - index))
      }
    }
    let places = Dictionary(uniqueKeysWithValues: report.spaces.enumerated().map { ($1.id, $0) })
    let isCacheWanted = !options.isSessionsOnly && options.isWanted == nil
    for index in blocks.blocks.indices where blocks.chains[index] == .whole {
      let block = blocks.blocks[index]
      if let space = places[block.key.space] { report.spaces[space].blockCount += 1 }
      guard blocks.holderCounts[index] > 0 || isCacheWanted else { continue }
      report.salvagedBlockCount += 1
      report.salvagedByteCount += block.frameByteCount
      if blocks.holderCounts[index] == 0 { report.cachedBlockCount += 1 }
    }
    for session in chosenSessions {
      if let space = places[session.key.space] { report.spaces[space].sessionCount += 1 }
    }
  }
}
