// Invariants:
// - A stored block's parent is stored or a root.
// - `references` counts the sessions' blocks; a referenced block is stored.
// - `byteCount` is the sum of the stored payloads, and at most the quota where there is one.
import KVBlocks
import KVTiering

/// A disk tier without a disk: the contract of `ColdTier` on dictionaries, transactional, with a quota.
package final class MemoryColdTier: ColdTier {
  struct StoredBlock {
    let descriptor: BlockDescriptor
    /// The planes' rows, one plane after the other.
    let payload: [UInt8]
    var lastUse: UInt64
  }

  struct SessionName: Hashable {
    let space: SpaceID
    let name: String
  }

  struct Contents {
    var blocks: [BlockKey: StoredBlock] = [:]
    var children: [BlockKey: [BlockHash]] = [:]
    var references: [BlockKey: Int] = [:]
    var sessions: [SessionName: SessionRecord] = [:]
    var byteCount = 0
  }

  private struct Log {
    var loads: [BlockKey: Int] = [:]
    var batches: [[BlockKey]] = []
    var touches: [ColdBatch.Touch] = []
  }

  private let roots: Set<BlockKey>
  private let quotaBytes: Int?
  private let contents = Lock(Contents())
  private let log = Lock(Log())

  /// - Parameter roots: the parents of first blocks, which are not blocks themselves.
  package init(roots: [BlockKey], quotaBytes: Int? = nil) {
    self.roots = Set(roots)
    self.quotaBytes = quotaBytes
  }

  // MARK: What tests look at

  package var storedKeys: Set<BlockKey> { contents.withLock { Set($0.blocks.keys) } }
  /// How often each block was loaded.
  package var loads: [BlockKey: Int] { log.withLock { $0.loads } }
  /// The blocks of each committed batch, in its order.
  package var batches: [[BlockKey]] { log.withLock { $0.batches } }
  package var touches: [ColdBatch.Touch] { log.withLock { $0.touches } }
  package func session(_ name: String, in space: SpaceID) -> SessionRecord? {
    contents.withLock { $0.sessions[SessionName(space: space, name: name)] }
  }

  /// What another process's quota would do: deletes blocks and their descendants, whoever wants them.
  package func delete(_ keys: [BlockKey]) {
    contents.withLock { contents in keys.forEach { contents.delete($0) } }
  }

  // MARK: Reading

  package func storedPrefixCount(
    of hashes: [BlockHash], in space: SpaceID, known: Int
  ) throws(StoreError) -> Int {
    contents.withLock { contents in
      var low = known
      var high = hashes.count
      while low < high {
        let middle = (low + high) / 2
        if contents.blocks[BlockKey(space: space, hash: hashes[middle])] == nil {
          high = middle
        } else {
          low = middle + 1
        }
      }
      return low
    }
  }

  package func contains(_ key: BlockKey) throws(StoreError) -> Bool { contents.withLock { $0.blocks[key] != nil } }

  package func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    contents.withLock { contents in
      (contents.children[BlockKey(space: space, hash: parent)] ?? []).compactMap { hash in
        contents.blocks[BlockKey(space: space, hash: hash)].map {
          StoredChild(hash: hash, tokens: $0.descriptor.tokens)
        }
      }
    }
  }

  package func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    guard let block = contents.withLock({ $0.blocks[key] }) else { return .absent }
    log.withLock { $0.loads[key, default: 0] += 1 }
    let tokenCount = block.descriptor.tokens.count
    block.payload.withUnsafeBytes { payload in
      var offset = 0
      for plane in layout.planes.indices {
        let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
        frame[range].copyBytes(from: payload[offset..<offset + range.count])
        offset += range.count
      }
    }
    return .loaded(tokenCount: tokenCount)
  }

  package func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    guard let block = contents.withLock({ $0.blocks[key] }) else { return .absent }
    let tokenCount = block.descriptor.tokens.count
    guard rows.upperBound <= tokenCount else { throw .invalidArgument("rows that the block does not have") }
    let start = layout.planes[..<plane].reduce(0) { $0 + $1.rowByteCount * tokenCount }
    let row = layout.planes[plane].rowByteCount
    block.payload.withUnsafeBytes {
      destination.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: $0[start + rows.lowerBound * row..<start + rows.upperBound * row]))
    }
    return .loaded(tokenCount: rows.count)
  }

  // MARK: Writing

  package func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame {
    let tokenCount = descriptor.tokens.count
    let byteCount = layout.payloadByteCount(tokenCount: tokenCount)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    var offset = 0
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
      UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + range.count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[range]))
      offset += range.count
    }
    return EncodedFrame(
      descriptor: descriptor, bytes: UnsafeRawBufferPointer(bytes), payloadByteCount: byteCount,
      release: { $0.deallocate() })
  }

  package func commit(
    _ batch: ColdBatch, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit {
    // The writer is alone, so what is read here is still so when it is put back.
    var next = contents.withLock { $0 }
    var result = ColdCommit()
    for write in batch.writes { result.writes.append(next.write(write, roots: roots)) }
    for operation in batch.operations { result.operations.append(next.perform(operation)) }
    for touch in batch.touches where touch.lastUse > 0 { next.blocks[touch.key]?.lastUse = touch.lastUse }
    if let quotaBytes {
      let fresh = Set(batch.writes.map(\.frame.descriptor.key))
      guard
        let deleted = next.shrink(to: quotaBytes, keeping: { fresh.contains($0) || isProtected($0) })
      else {
        throw StoreError(.quotaFull, "sessions fill the quota; delete sessions or raise it")
      }
      result.deletedBlockCount = deleted
    }
    contents.withLock { $0 = next }
    log.withLock { log in
      log.batches.append(batch.writes.map(\.frame.descriptor.key))
      log.touches += batch.touches
    }
    return result
  }

  /// Checks the list at the head of this file.
  package func assertInvariants() {
    contents.withLock { contents in
      var bytes = 0
      for (key, block) in contents.blocks {
        let parent = BlockKey(space: key.space, hash: block.descriptor.parent)
        precondition(roots.contains(parent) || contents.blocks[parent] != nil, "a stored block's parent is stored")
        bytes += block.payload.count
      }
      precondition(bytes == contents.byteCount && bytes <= quotaBytes ?? .max, "bytes are counted and under the quota")
      precondition(contents.references.keys.allSatisfy { contents.blocks[$0] != nil }, "referenced blocks are stored")
    }
  }
}
