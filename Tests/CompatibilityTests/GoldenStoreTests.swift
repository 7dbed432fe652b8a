import Foundation
import KVPager
import KVSimulation
import Testing

/// Stores that earlier versions wrote lie in data/golden and open for ever: `store-v1` in format version 1.
///
/// A new format version gets a golden store of its own, made once with KVPAGER_MAKE_GOLDEN=FOLDER; the old ones stay.
@Suite struct GoldenStoreTests {
  private static let golden = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "data/golden/store-v1")

  private static let chat = tokens(0..<45)
  private static let branch = tokens(0..<20) + tokens(500..<523)
  private static let checkpoint = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
  private static let variantTokens = tokens(0..<16)

  /// Two sessions that share blocks, metadata, an expiry, a checkpoint, a variant, a second space.
  private static func fill(_ rig: Rig) throws {
    let store = try rig.open()
    let space = try rig.space(store)
    let session = try space.createSession(named: "chat")
    try rig.append(chat, to: session)
    session.metadata = ["title": "Werkzeug für Anna", "": "empty name"]
    session.origin = [1, 2, 3]
    session.expiresMicroseconds = 4_102_444_800_000_000
    session.setCheckpoint(checkpoint)
    try session.commit()
    let fork = try space.createSession(
      named: "branch", startingWith: branch, from: space.longestPrefix(of: branch))
    try rig.append(Array(branch[fork.tokenCount...]), to: fork)
    try fork.commit()
    let other = try space.createSession(named: "variant")
    let states = rig.rows.states(of: variantTokens)
    try other.append(variantTokens, sharing: .byContent) { writer in
      let (wanted, isFirst) = (states[writer.tokens], writer.tokens.lowerBound == 0)
      for plane in rig.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { bytes in
          rig.rows.fill(bytes, plane: plane, states: wanted)
          if plane == 0, isFirst { bytes[0] ^= 0x80 }
        }
      }
    }
    try other.commit()
    let seeded = try store.cacheSpace(for: ModelFingerprint(model: "vllm", vllmSeed: "0"), layout: rig.layout)
    let second = try seeded.createSession(named: "seeded")
    try rig.append(tokens(7..<30), to: second)
    try second.commit()
    try store.close()
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["KVPAGER_MAKE_GOLDEN"] != nil))
  func `makes a golden store`() throws {
    let path = try #require(ProcessInfo.processInfo.environment["KVPAGER_MAKE_GOLDEN"])
    try Self.fill(Rig(path: path))
  }

  /// A copy to open: a store in use has a lock file beside it.
  private func copy() throws -> (folder: TemporaryFolder, rig: Rig) {
    let folder = TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: false)
    try FileManager.default.copyItem(
      atPath: Self.golden.appending(path: "data.mdb").path, toPath: "\(folder.store)/data.mdb")
    return (folder, try Rig(path: folder.store))
  }

  @Test(arguments: [StoreConfiguration.Access.readOnly, .readWrite])
  func `a store of format version 1 opens and holds what was put in`(access: StoreConfiguration.Access) throws {
    let (folder, rig) = try copy()
    try withExtendedLifetime(folder) {
      let store = try rig.open(access: access)
      #expect(try store.sessions().map(\.name).sorted() == ["branch", "chat", "seeded", "variant"])
      let chat = try store.session(named: "chat")
      #expect(chat.tokens == Self.chat)
      #expect(chat.metadata == ["title": "Werkzeug für Anna", "": "empty name"])
      #expect(chat.origin == [1, 2, 3])
      #expect(chat.expiresMicroseconds == 4_102_444_800_000_000)
      #expect(try chat.checkpoint() == Self.checkpoint)
      #expect(try rig.isWhole(chat))
      let branch = try store.session(named: "branch")
      #expect(branch.tokens == Self.branch)
      #expect(Array(branch.blockHashes.prefix(2)) == Array(chat.blockHashes.prefix(2)))
      #expect(try rig.isWhole(branch))
      #expect(try !rig.isWhole(store.session(named: "variant")))
      let seeded = try store.session(named: "seeded")
      #expect(seeded.space.root == ChainHash.root(seed: "0"))
      #expect(try rig.isWhole(seeded))
      #expect(try rig.space(store).longestPrefix(of: Self.chat).tokenCount == 45)
      #expect(try store.audit().isEmpty)
      try store.close()
    }
  }

  @Test func `the hashes of format version 1 never change`() throws {
    let (folder, rig) = try copy()
    try withExtendedLifetime(folder) {
      let store = try rig.open(access: .readOnly)
      let space = try rig.space(store)
      #expect(space.root == rig.fingerprint.rootHash(layout: rig.layout))
      let expected = ChainHash.hashes(ofFullBlocksIn: Self.chat, blockTokenCount: 8, root: space.root)
      #expect(Array(try space.session(named: "chat").blockHashes.prefix(5)) == expected)
      try store.close()
    }
  }

  @Test func `a store of format version 1 can be written to`() throws {
    let (folder, rig) = try copy()
    try withExtendedLifetime(folder) {
      let store = try rig.open(access: .readWrite)
      let chat = try store.session(named: "chat")
      chat.setCheckpoint(nil)
      try rig.append(tokens(45..<70), to: chat)
      try chat.commit()
      #expect(try rig.isWhole(chat))
      #expect(try rig.isWhole(store.session(named: "branch")))
      #expect(try store.audit().isEmpty)
      try store.close()
    }
  }
}
