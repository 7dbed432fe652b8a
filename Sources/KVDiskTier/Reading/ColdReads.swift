import KVBlocks
import KVCodec
import SafeLMDB

/// The reading half of what the pager asks of its cold tier. Each call is one short read transaction; frames are
/// decoded in it, straight from the map.
extension DiskTier {
  /// The largest `n` such that `hashes[0..<n]` are all stored, given that the first `known` are.
  package func storedPrefixCount(
    of hashes: [BlockHash], in space: SpaceID, known: Int
  ) throws(StoreError) -> Int {
    guard known < hashes.count else { return hashes.count }
    return try environment.read { (transaction) throws(StoreError) in
      var low = max(known, 0)
      var high = hashes.count
      // The first miss lies in low...high. The next block is asked first: most often nothing more is stored.
      var probe = low
      while low < high {
        if try tables.holdsBlock(BlockKey(space: space, hash: hashes[probe]), transaction) {
          low = probe + 1
        } else {
          high = probe
        }
        probe = (low + high) / 2
      }
      return low
    }
  }

  package func contains(_ key: BlockKey) throws(StoreError) -> Bool {
    try environment.read { (transaction) throws(StoreError) in try tables.holdsBlock(key, transaction) }
  }

  /// The stored blocks that follow `parent`. Children whose records are damaged are left out.
  package func children(of parent: BlockHash, in space: SpaceID) throws(StoreError) -> [StoredChild] {
    try environment.read { (transaction) throws(StoreError) in
      var found: [StoredChild] = []
      for hash in try tables.childHashes(of: BlockKey(space: space, hash: parent), transaction) {
        let key = BlockKey(space: space, hash: hash)
        do throws(StoreError) {
          guard let record = try tables.blockRecord(key, transaction), record.parent == parent else { continue }
          found.append(StoredChild(hash: hash, tokens: record.tokens))
        } catch  where error.code == .damaged {
          continue
        }
      }
      return found
    }
  }

  /// Decodes a block's rows into a frame of its space's layout.
  package func load(
    _ key: BlockKey, layout: BlockLayout, into frame: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    try withPieces(of: key) { (pieces, decoder) throws(FrameError) in
      try decoder.decode(pieces, layout: layout, expecting: key, into: frame)
    }
  }

  /// Decodes `rows` of one plane into `destination`, which has just their bytes.
  package func loadPlane(
    _ key: BlockKey, layout: BlockLayout, plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    try withPieces(of: key) { (pieces, decoder) throws(FrameError) in
      try decoder.decodePlane(
        pieces, layout: layout, expecting: key, plane: plane, rows: rows, into: destination)
    }
  }

  /// Decodes rows of several blocks, up to the first that cannot be had, in one transaction.
  package func loadRows(
    of blocks: ArraySlice<BlockRows>, layout: BlockLayout, into destinations: [PlaneDestination]
  ) throws(StoreError) -> [LoadOutcome] {
    try codecs.withDecoder { (decoder) throws(StoreError) in
      try environment.read { (transaction) throws(StoreError) in
        var outcomes: [LoadOutcome] = []
        for block in blocks {
          let outcome = try withPieces(of: block.key, transaction, &decoder) { (pieces, decoder) throws(FrameError) in
            try decoder.decodeRows(pieces, layout: layout, of: block, into: destinations)
          }
          outcomes.append(outcome)
          guard case .loaded = outcome else { break }
        }
        return outcomes
      }
    }
  }

  private func withPieces(
    of key: BlockKey, decode: (FramePieces, inout BlockDecoder) throws(FrameError) -> Int
  ) throws(StoreError) -> LoadOutcome {
    try codecs.withDecoder { (decoder) throws(StoreError) in
      try environment.read { (transaction) throws(StoreError) in
        try withPieces(of: key, transaction, &decoder, decode: decode)
      }
    }
  }

  private func withPieces(
    of key: BlockKey, _ transaction: borrowing ReadTransaction, _ decoder: inout BlockDecoder,
    decode: (FramePieces, inout BlockDecoder) throws(FrameError) -> Int
  ) throws(StoreError) -> LoadOutcome {
    let pieces: [UnsafeRawBufferPointer]
    do throws(StoreError) {
      guard let head = try tables.blockHead(key, transaction) else { return .absent }
      pieces = try tables.pieces(of: head.frame, transaction)
      if recentFrames.note(head.frame) { transaction.readAhead(pieces) }
    } catch  where error.code == .damaged {
      return .damaged(error.message)
    }
    do throws(FrameError) {
      return .loaded(tokenCount: try decode(FramePieces(pieces), &decoder))
    } catch {
      return .damaged(error.message)
    }
  }
}
