import KVBlocks
import KVCodec

// Invariants:
// - The damaged file is only read.
// - Until the last step the new folder holds no data.mdb: whatever ends this early leaves no store behind.
// - Memory holds one batch of frames, or one session with its checkpoint, at a time.

/// Writes what a scan chose into a new store, through the disk tier itself.
package struct StoreSalvage {
  private static let batchByteCount = 32 << 20
  private static let batchCount = 4096
  private static let sessionBatchCount = 512

  private let scan: RawStoreScan
  private let tier: DiskTier
  private let progress: (SalvageProgress) -> Void
  private var writtenByteCount: UInt64 = 0
  private var totalByteCount: UInt64 = 0

  /// Rebuilds at `newPath` what the damaged file at `path` still holds.
  /// - Parameter path: a data file of any name, or the folder of one. It may be in any state.
  /// - Parameter newPath: the new store's folder, which must not exist or be empty.
  /// - Throws: `notAStore` where there is nothing to bring back, `alreadyExists` where `newPath` holds something; then
  ///   nothing was made.
  package static func run(
    from path: String, to newPath: String, options: SalvageOptions = SalvageOptions(),
    tierOptions: DiskTierOptions = DiskTierOptions(), progress: @escaping (SalvageProgress) -> Void = { _ in }
  ) throws(StoreError) -> RawStoreReport {
    try SalvageFolder.requireFree(newPath)
    let scan = try RawStoreScan.scan(path: path, options: options, progress: progress)
    guard scan.report.isStore else { throw .nothingToSalvage(path) }
    if options.isWanted != nil, scan.report.sessions.isEmpty { return scan.report }
    guard !scan.chosenSessions.isEmpty || scan.report.salvagedBlockCount > 0 || !scan.report.hasLosses else {
      return scan.report
    }
    let folder = try SalvageFolder(newPath)
    do throws(StoreError) {
      let tier = try DiskTier(path: folder.nursery, options: tierOptions)
      do throws(StoreError) {
        try tier.environment.read { (transaction) throws(StoreError) in transaction.mapFewPages() }
        var salvage = StoreSalvage(scan: scan, tier: tier, progress: progress)
        try salvage.write()
      } catch {
        tier.close()
        throw error
      }
      tier.close()
      try folder.finish()
    } catch {
      folder.discard()
      throw error
    }
    var report = scan.report
    report.isWritten = true
    return report
  }

  private init(scan: RawStoreScan, tier: DiskTier, progress: @escaping (SalvageProgress) -> Void) {
    self.scan = scan
    self.tier = tier
    self.progress = progress
  }

  private mutating func write() throws(StoreError) {
    let isEverythingWanted = scan.report.cachedBlockCount > 0
    totalByteCount = UInt64(scan.report.salvagedByteCount)
    try tier.adopt(spaces: scan.chosenSpaces.values.sorted { $0.id < $1.id })
    let holderCounts = scan.blocks.holderCounts
    try writeBlocks { isEverythingWanted || holderCounts[$0] > 0 }
    try writeSessions()
  }

  // MARK: Blocks

  /// In the order in which they were stored, which is nearly that of the file; parents before their children.
  private mutating func writeBlocks(_ isWanted: (Int) -> Bool) throws(StoreError) {
    let index = scan.blocks
    let order = index.blocks.indices.filter { index.chains[$0] == .whole && isWanted($0) }
      .sorted { index.blocks[$0].frame < index.blocks[$1].frame }
    var isWritten = Array(repeating: false, count: index.blocks.count)
    var batch: [AdoptedBlock] = []
    var byteCount = 0
    for start in order {
      var chain: [Int] = []
      var next: Int? = start
      while let block = next, !isWritten[block] {
        isWritten[block] = true
        chain.append(block)
        next = index.index(of: BlockKey(space: index.blocks[block].key.space, hash: index.blocks[block].parent))
      }
      for block in chain.reversed() {
        batch.append(try adopted(block))
        byteCount += index.blocks[block].frameByteCount
        if byteCount >= Self.batchByteCount || batch.count == Self.batchCount {
          try adopt(batch)
          (batch, byteCount) = ([], 0)
        }
      }
    }
    try adopt(batch)
  }

  /// Reads a block's frame again: what was whole must still be.
  private func adopted(_ block: Int) throws(StoreError) -> AdoptedBlock {
    let found = scan.blocks.blocks[block]
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: found.frameByteCount, alignment: 64)
    do throws(StoreError) {
      let place = RawStoreScan.Place.pieces(first: Int(found.firstPiece), count: Int(found.pieceCount))
      let header = try header(of: UnsafeRawBufferPointer(bytes), count: try scan.read(place, into: bytes))
      guard header.key == found.key, header.parent == found.parent else { throw .changedMeanwhile(scan.file.path) }
      let frame = EncodedFrame(
        descriptor: header.descriptor, bytes: UnsafeRawBufferPointer(bytes), payloadByteCount: header.rawByteCount,
        release: { $0.deallocate() })
      return AdoptedBlock(
        frame: frame, lastUse: max(scan.blocks.lastUses[block], 1), sessionCount: scan.blocks.holderCounts[block])
    } catch {
      bytes.deallocate()
      throw error
    }
  }

  private func header(of bytes: UnsafeRawBufferPointer, count: Int) throws(StoreError) -> FrameHeader {
    guard count == bytes.count, let header = try? FrameHeader.parse(FramePieces([bytes])), header.isWhole(in: bytes)
    else { throw .changedMeanwhile(scan.file.path) }
    return header
  }

  private mutating func adopt(_ batch: [AdoptedBlock]) throws(StoreError) {
    guard !batch.isEmpty else { return }
    try tier.adopt(blocks: batch)
    for block in batch { writtenByteCount += UInt64(block.frame.bytes.count) }
    // What the new store's map holds in memory is given back: there is no end to it otherwise.
    try tier.environment.read { (transaction) throws(StoreError) in transaction.releaseMap() }
    progress(SalvageProgress(.writing, doneByteCount: writtenByteCount, totalByteCount: totalByteCount))
  }

  // MARK: Sessions

  /// In the order of their revisions, so that the new ones have the same order.
  private func writeSessions() throws(StoreError) {
    let order = scan.chosenSessions.sorted {
      ($0.candidate.revision, $0.candidate.updatedMicroseconds) < (
        $1.candidate.revision, $1.candidate.updatedMicroseconds
      )
    }
    var batch: [AdoptedSession] = []
    var byteCount = 0
    func flush() throws(StoreError) {
      defer {
        for session in batch { session.checkpoint.map { $0.frame.deallocate() } }
        (batch, byteCount) = ([], 0)
      }
      guard !batch.isEmpty else { return }
      try tier.adopt(sessions: batch)
      try tier.environment.read { (transaction) throws(StoreError) in transaction.releaseMap() }
    }
    do throws(StoreError) {
      for session in order {
        let adopted = try adopted(session)
        batch.append(adopted)
        byteCount += session.candidate.byteCount + (adopted.checkpoint?.frame.count ?? 0)
        if byteCount >= Self.batchByteCount || batch.count == Self.sessionBatchCount { try flush() }
      }
      try flush()
    } catch {
      for session in batch { session.checkpoint.map { $0.frame.deallocate() } }
      throw error
    }
  }

  private func adopted(_ session: RawStoreScan.ChosenSession) throws(StoreError) -> AdoptedSession {
    let body = try scan.body(of: session.candidate)
    var record = body.record
    if session.isCut {
      record.metadata[Self.cutName] =
        "\(session.tokenCount) of \(record.tokens.count) tokens"
        + (body.checkpoint == nil ? "" : ", without the checkpoint")
      record.tokens.removeLast(record.tokens.count - session.tokenCount)
      record.blocks.removeLast(record.blocks.count - session.blockCount)
    }
    guard session.hasCheckpoint, let checkpoint = body.checkpoint,
      let found = scan.checkpoints[BlockKey(space: record.space, hash: body.checkpointIdentifier)]
    else { return AdoptedSession(record: record, checkpoint: nil) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: found.frameByteCount, alignment: 64)
    do throws(StoreError) {
      _ = try header(of: UnsafeRawBufferPointer(bytes), count: try scan.read(found.place, into: bytes))
    } catch {
      bytes.deallocate()
      throw error
    }
    return AdoptedSession(
      record: record,
      checkpoint: .init(
        frame: UnsafeRawBufferPointer(bytes), identifier: body.checkpointIdentifier, byteCount: checkpoint.byteCount))
  }

  /// The metadata of a session that came back cut.
  static let cutName = "salvage.cut"
}

extension StoreError {
  package static func nothingToSalvage(_ path: String) -> StoreError {
    StoreError(.notAStore, "\(path) holds no trace of a kvpager store: no block, no session, no cache space")
  }

  static func changedMeanwhile(_ path: String) -> StoreError {
    StoreError(
      .inputOutput, "\(path) gave other bytes when it was read again: salvage a copy of it, on a disk that is sound")
  }
}
