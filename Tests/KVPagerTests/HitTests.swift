import Foundation
import KVBlocks
import KVDiskTier
import KVPager
import KVSimulation
import Testing

/// What a block's record says of how often it was found.
@Suite struct HitTests {
  private func hits(_ rig: Rig, _ hashes: [BlockHash]) throws -> [Int?] {
    let tier = try DiskTier(path: rig.path, options: DiskTierOptions(access: .readOnly))
    defer { tier.close() }
    let space = try #require(try tier.spaces().first)
    return try tier.summaries(of: hashes, in: space.id).map { $0?.hitCount }
  }

  @Test func `look-ups and resumed sessions count, leases and commits do not`() throws {
    let rig = try Rig()
    let chat = tokens(0..<20)
    let store = try rig.open()
    let space = try rig.space(store)
    let session = try space.createSession(named: "chat")
    try rig.append(chat, to: session)
    try session.commit()
    let hashes = ChainHash.hashes(ofFullBlocksIn: chat, blockTokenCount: 8, root: space.root)
    let tail = ChainHash.hash(parent: hashes[1], tokens: Array(chat[16...]), encodedExtra: [0xf6])
    for _ in 0..<3 { #expect(try space.longestPrefix(of: chat).tokenCount == 20) }
    #expect(try space.longestPrefix(of: tokens(0..<9)).tokenCount == 9)
    #expect(try session.lease().tokenCount == 20)
    try session.commit()
    try store.close()
    #expect(try hits(rig, hashes + [tail]) == [4, 4, 3])

    // In processes of their own, which find the blocks on disk.
    for _ in 0..<2 {
      let store = try rig.open()
      #expect(try rig.isWhole(store.session(named: "chat")))
      try store.close()
    }
    #expect(try hits(rig, hashes + [tail]) == [6, 6, 5])
    let reader = try rig.open(access: .readOnly)
    #expect(try rig.isWhole(reader.session(named: "chat")))
    try reader.close()
    #expect(try hits(rig, hashes + [tail]) == [6, 6, 5])
  }

  @Test func `a store from before hits were counted opens and counts from zero`() throws {
    let folder = TemporaryFolder()
    let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "data/golden/store-v1/data.mdb")
    try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: false)
    try FileManager.default.copyItem(atPath: golden.path, toPath: "\(folder.store)/data.mdb")
    let rig = try Rig(path: folder.store)
    let store = try rig.open(access: .readWrite)
    let hashes = ChainHash.hashes(
      ofFullBlocksIn: tokens(0..<40), blockTokenCount: 8, root: try rig.space(store).root)
    #expect(try rig.space(store).longestPrefix(of: tokens(0..<40)).tokenCount == 40)
    try store.close()
    #expect(try hits(rig, hashes) == [1, 1, 1, 1, 1])
    let again = try rig.open()
    #expect(try again.audit().isEmpty)
    try again.close()
  }
}
