import KVBlocks
import KVSimulation
import Testing

@testable import KVDiskTier

@Suite struct ScanTests {
  private func store() throws -> (TemporaryFolder, DiskTier) {
    let folder = TemporaryFolder()
    var shape = LargeStore()
    shape.sessionCount = 600
    shape.blockCount = 9_000
    try shape.fill(folder.store)
    return (folder, try DiskTier(path: folder.store, options: DiskTierOptions(access: .readOnly)))
  }

  @Test func `scans end a transaction after so many records, and see each once`() throws {
    let (folder, tier) = try store()
    defer {
      tier.close()
      _ = folder
    }
    let count = try tier.storedBlockCount()
    var seen: Set<BlockKey> = []
    let blocks = try tier.scanBlocks { (block) throws(StoreError) in seen.insert(block.key).inserted }
    #expect(seen.count == count && blocks.entryCount == count && blocks.isOneSnapshot)
    #expect(blocks.transactionCount == count / DiskTier.scanRecordLimit + 1)
    var names: Set<String> = []
    let sessions = try tier.scanSessions { (_, record) throws(StoreError) in names.insert(record.name).inserted }
    #expect(names.count == 600 && sessions.transactionCount == 600 / DiskTier.scanSessionLimit + 1)
    let summaries = try tier.scanSessionSummaries { _ throws(StoreError) in true }
    #expect(summaries.entryCount == 600 && summaries.transactionCount == 1)
  }

  @Test func `headers of many frames are read in transactions of a few hundred`() throws {
    let (folder, tier) = try store()
    defer {
      tier.close()
      _ = folder
    }
    var frames: [FrameReference] = []
    var keys: [UInt64: BlockKey] = [:]
    try tier.scanBlocks { (block) throws(StoreError) in
      frames.append(block.frame)
      keys[block.frame.id] = block.key
      return frames.count < 2_000
    }
    var place = 0
    let outcome = try tier.scanFrameHeaders(of: frames) { (header) throws(StoreError) in
      #expect(header.key == keys[frames[place].id])
      place += 1
      return true
    }
    #expect(place == 2_000 && outcome.transactionCount == (2_000 + DiskTier.lookUpLimit - 1) / DiskTier.lookUpLimit)
    var damaged = 0
    try tier.scanFrameHeaders(of: [FrameReference(id: 1 << 40, byteCount: 100)], damaged: { _, _ in damaged += 1 }) {
      _ throws(StoreError) in true
    }
    #expect(damaged == 1)
  }
}
