import KVBlocks
import KVTiering
import Synchronization

/// Bugs planted on purpose: a simulation that does not find them proves nothing.
package enum Sabotage: String, CaseIterable, Sendable {
  /// A loaded row has one bit wrong.
  case flipsBit
  /// A session's record is said to be committed and is not.
  case losesCommit
  /// A block is said to be stored and is not.
  case losesWrite
  /// One block more than there is counts as stored.
  case overcountsPrefix
  /// A child is said to begin with other tokens than it does.
  case mistakesChild
  /// A block is loaded in another's place.
  case swapsBlocks
}

/// A disk tier with one of the planted bugs: every `period`th call of the kind goes wrong.
package final class SabotagedColdTier: ColdTier {
  private let base: any ColdTier
  private let sabotage: Sabotage
  private let period: Int
  private let calls = Atomic(0)
  private let lastLoaded = Lock<BlockKey?>(nil)

  package init(_ base: any ColdTier, _ sabotage: Sabotage, period: Int = 7) {
    self.base = base
    self.sabotage = sabotage
    self.period = period
  }

  private func strikes(_ kind: Sabotage) -> Bool {
    kind == sabotage && calls.add(1, ordering: .relaxed).newValue % period == 0
  }

  package func storedPrefixCount(
    of hashes: [BlockHash], in space: SpaceID, known: Int
  ) throws(StoreError) -> Int {
    let count = try base.storedPrefixCount(of: hashes, in: space, known: known)
    return strikes(.overcountsPrefix) ? min(count + 1, hashes.count) : count
  }

  package func contains(_ key: BlockKey) throws(StoreError) -> Bool { try base.contains(key) }

  package func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    let children = try base.children(of: parent, in: space)
    guard strikes(.mistakesChild) else { return children }
    return children.map { child in
      StoredChild(hash: child.hash, tokens: children.first { $0.hash != child.hash }?.tokens ?? child.tokens)
    }
  }

  package func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    let outcome = try base.load(swapped(key), layout: layout, into: frame)
    if case .loaded = outcome, strikes(.flipsBit) { frame[0] ^= 1 }
    return outcome
  }

  package func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    let outcome = try base.loadPlane(swapped(key), layout: layout, plane: plane, rows: rows, into: destination)
    if case .loaded = outcome, strikes(.flipsBit) { destination[0] ^= 1 }
    return outcome
  }

  /// The block loaded before this one, when it is time to mix them up.
  private func swapped(_ key: BlockKey) -> BlockKey {
    let previous = lastLoaded.withLock { last in
      defer { last = key }
      return last
    }
    return strikes(.swapsBlocks) ? previous ?? key : key
  }

  package func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame {
    try base.encode(descriptor, layout: layout, frame: frame)
  }

  package func commit(_ batch: ColdBatch, isProtected: (BlockKey) -> Bool) throws(StoreError) -> ColdCommit {
    var honest = batch
    let losesCommit = !batch.operations.isEmpty && strikes(.losesCommit)
    let losesWrite = batch.operations.isEmpty && !batch.writes.isEmpty && strikes(.losesWrite)
    if losesCommit { honest.operations = [] }
    if losesWrite { honest.writes.removeLast() }
    var result = try base.commit(honest, isProtected: isProtected)
    if losesCommit { result.operations = batch.operations.map { _ in .done(revision: 1) } }
    if losesWrite { result.writes.append(.stored) }
    return result
  }
}
