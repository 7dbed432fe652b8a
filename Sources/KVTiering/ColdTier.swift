import KVBlocks

/// The disk tier as the pager sees it. `KVDiskTier.DiskTier` is the one in service; simulations wrap it to make it
/// fail.
///
/// Reads may come from any number of threads at once. `commit` and `collectGarbage` come from the pager's writer thread
/// only. No call keeps a read transaction after it returns.
package protocol ColdTier: Sendable {
  /// The largest `n` such that `hashes[0..<n]` are all stored, given that the first `known` are. Binary search: a
  /// stored block's parents are stored.
  func storedPrefixCount(of hashes: [BlockHash], in space: SpaceID, known: Int) throws(StoreError) -> Int
  func contains(_ key: BlockKey) throws(StoreError) -> Bool
  func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild]

  /// Decodes a block's rows into a frame of its space's layout.
  func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome
  /// Decodes `rows` of one plane into `destination`, which has just their bytes.
  func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome
  /// As above for several blocks, each to its place, up to the first that cannot be had: an outcome for each that was
  /// tried.
  func loadPlane(
    _ plane: Int, layout: BlockLayout, of pieces: ArraySlice<PlaneRows>
  ) throws(StoreError) -> [LoadOutcome]
  /// A hint: these blocks are loaded next.
  func willNeed(_ keys: [BlockKey])

  /// The codec's work, on any thread. `frame` is the block's frame in RAM.
  func encode(
    _ descriptor: BlockDescriptor, layout: BlockLayout, frame: UnsafeRawBufferPointer
  ) throws(StoreError) -> EncodedFrame
  /// One synced transaction. Throws, with nothing done, where the whole batch cannot be committed (`quotaFull`,
  /// `diskFull`, ...). Blocks for which `isProtected` holds are not deleted for the quota.
  func commit(
    _ batch: ColdBatch, isProtected: (BlockKey) -> Bool
  ) throws(StoreError) -> ColdCommit
}

extension ColdTier {
  package func loadPlane(
    _ plane: Int, layout: BlockLayout, of pieces: ArraySlice<PlaneRows>
  ) throws(StoreError) -> [LoadOutcome] {
    var outcomes: [LoadOutcome] = []
    for piece in pieces {
      let outcome = try loadPlane(
        piece.key, layout: layout, plane: plane, rows: piece.rows, into: piece.destination)
      outcomes.append(outcome)
      guard case .loaded = outcome else { break }
    }
    return outcomes
  }
}
