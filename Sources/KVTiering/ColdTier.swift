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
  /// Decodes rows of several blocks, several planes each, to their places, up to the first block that cannot be had: an
  /// outcome for each that was tried.
  func loadRows(
    of blocks: ArraySlice<BlockRows>, layout: BlockLayout, into destinations: [PlaneDestination]
  ) throws(StoreError) -> [LoadOutcome]

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
  package func loadRows(
    of blocks: ArraySlice<BlockRows>, layout: BlockLayout, into destinations: [PlaneDestination]
  ) throws(StoreError) -> [LoadOutcome] {
    var outcomes: [LoadOutcome] = []
    for block in blocks {
      var outcome = LoadOutcome.absent
      for destination in destinations {
        let rowByteCount = layout.planes[destination.plane].rowByteCount
        outcome = try loadPlane(
          block.key, layout: layout, plane: destination.plane, rows: block.rows,
          into: destination.part(for: block, rowByteCount: rowByteCount))
        guard case .loaded = outcome else { break }
      }
      outcomes.append(outcome)
      guard case .loaded = outcome else { break }
    }
    return outcomes
  }
}
