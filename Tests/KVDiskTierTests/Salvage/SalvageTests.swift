import Foundation
import KVBlocks
import Testing

@testable import KVDiskTier

@Suite struct `salvaging a store` {
  private func makeStore() throws -> TestStore {
    let store = try TestStore(layout: TestStore.layout(blockTokenCount: 16, rowByteCount: 64, layerCount: 2))
    try store.store(store.chain(tokens(0..<100)))
    try store.store(store.chain(tokens(500..<600)))
    _ = try store.commit(store.put("chat", tokens(0..<100), metadata: ["a": "b"], checkpoint: .replace([1, 2, 3])))
    return store
  }

  /// Salvages a copy of the store's file that was changed behind LMDB's back.
  private func salvage(
    _ store: TestStore, _ options: SalvageOptions = SalvageOptions(), damage: (inout [UInt8]) -> Void
  ) throws -> (directory: StoreDirectory, report: RawStoreReport) {
    var bytes = store.directory.contents()
    damage(&bytes)
    let directory = StoreDirectory()
    directory.write(bytes, to: "image")
    let report = try StoreSalvage.run(from: "\(directory.path)/image", to: "\(directory.path)/new", options: options)
    return (directory, report)
  }

  private func open(_ directory: StoreDirectory, _ access: DiskTierOptions.Access = .readOnly) throws -> DiskTier {
    try DiskTier(path: "\(directory.path)/new", options: DiskTierOptions(access: access))
  }

  private func wipe(_ bytes: inout [UInt8], _ range: Range<Int>) { for offset in range { bytes[offset] = 0 } }

  @Test func `sessions come back with all that they were, in the order of their commits`() throws {
    let store = try makeStore()
    let before = try #require(try store.tier.session(space: store.space.id, name: "chat"))
    _ = try store.commit(store.put("a later one", tokens(0..<32)))
    let (directory, report) = try salvage(store) { wipe(&$0, 0..<8192) }
    #expect(report.isWritten && !report.hasLosses && report.cachedBlockCount == 7)
    let tier = try open(directory)
    defer { tier.close() }
    var after = try #require(try tier.session(space: store.space.id, name: "chat"))
    #expect(after.revision == 1)
    after.revision = before.revision
    #expect(after == before)
    #expect(try tier.checkpoint(space: store.space.id, name: "chat") == [1, 2, 3])
    #expect(try tier.session(space: store.space.id, name: "a later one")?.revision == 2)
    #expect(try tier.audit(deep: true).isEmpty)
    #expect(try tier.spaces() == [store.space])
  }

  @Test func `a deleted session stays deleted while LMDB's table can be read, and comes back when it cannot`() throws {
    let store = try makeStore()
    _ = try store.commit(.delete(space: store.space.id, name: "chat"))
    let readable = try salvage(store) { _ in }
    #expect(readable.report.sessions.isEmpty && readable.report.deletedSessionCount == 1)
    #expect(readable.report.isSessionTableRead && !readable.report.hasLosses)
    let wiped = try salvage(store) { wipe(&$0, 0..<8192) }
    #expect(wiped.report.sessions.map(\.name) == ["chat"] && !wiped.report.isSessionTableRead)
  }

  @Test func `a space that lost its record is a placeholder, until its engine comes and proves that it is its own`()
    throws
  {
    let store = try makeStore()
    let (directory, report) = try salvage(store) { bytes in
      // All copies of the record, in freed pages too.
      let root = store.space.root.bytes
      for place in bytes.indices.dropLast(40)
      where bytes[place] == root[0] && bytes[place..<place + 32].elementsEqual(root) {
        if bytes[place - 4..<place].elementsEqual([1, 0, 0, 0]) { bytes[place + 33] ^= 1 }
      }
    }
    #expect(report.spaces.map(\.isPlaceholder) == [true] && report.hasLosses)
    #expect(report.wholeSessionCount == 1)
    let tier = try open(directory, .readWrite)
    defer { tier.close() }
    let lost = try #require(try tier.spaces().first)
    #expect(lost.fingerprint.isPlaceholder && lost.root == store.space.root && lost.layout == store.layout)
    let other = try tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "another"), layout: store.layout)
    #expect(other.id != store.space.id)
    let own = try tier.findOrCreateSpace(fingerprint: store.space.fingerprint, layout: store.layout)
    #expect(own == store.space)
    #expect(try tier.spaces().count == 2)
    #expect(try tier.audit(deep: true).isEmpty)
  }

  @Test func `an older commit that is whole comes back in place of one that lost a block`() throws {
    let store = try makeStore()
    let longer = tokens(0..<140)
    let chain = store.chain(longer)
    let first = try #require(try store.tier.session(space: store.space.id, name: "chat"))
    try store.store(chain)
    _ = try store.commit(store.put("chat", longer, condition: .revision(first.revision)))
    let record = try #require(try store.tier.record(of: chain[7].key))
    let (directory, report) = try salvage(store) { hurt(record.frame, in: &$0) }
    // The older one's tail was deleted when the longer block took its place, and its bytes are still there.
    #expect(report.sessions.first?.fate == .older && report.hasLosses)
    #expect(report.sessions.first?.reason.contains("1 of 9 blocks is lost") == true)
    let tier = try open(directory)
    defer { tier.close() }
    var older = try #require(try tier.session(space: store.space.id, name: "chat"))
    older.revision = first.revision
    #expect(older == first)
    #expect(try tier.checkpoint(space: store.space.id, name: "chat") == [1, 2, 3])
  }

  @Test func `where no commit is whole, the part before the first loss comes back if it is asked for`() throws {
    let store = try makeStore()
    let record = try #require(try store.tier.record(of: store.chain(tokens(0..<100))[3].key))
    let (directory, report) = try salvage(store, SalvageOptions(isPartial: true)) { hurt(record.frame, in: &$0) }
    #expect(report.sessions.first?.fate == .partial && report.sessions.first?.salvagedTokenCount == 48)
    let tier = try open(directory)
    defer { tier.close() }
    let cut = try #require(try tier.session(space: store.space.id, name: "chat"))
    #expect(cut.tokens == tokens(0..<48) && cut.blocks.count == 3)
    #expect(cut.metadata == ["a": "b", "salvage.cut": "48 of 100 tokens, without the checkpoint"])
    #expect(try tier.checkpoint(space: store.space.id, name: "chat") == nil)
    #expect(try tier.audit(deep: true).isEmpty)
    let whole = try salvage(store) { hurt(record.frame, in: &$0) }
    #expect(whole.report.sessions.first?.fate == .lost)
  }

  /// Changes a bit of a frame's rows.
  private func hurt(_ frame: FrameReference, in bytes: inout [UInt8]) {
    for page in stride(from: 0, to: bytes.count - 64, by: 4096) {
      let isExtent = bytes[page + 16..<page + 20].elementsEqual(Array("KVEX".utf8))
      if isExtent, bytes[page + 24] == UInt8(truncatingIfNeeded: frame.id) {
        bytes[page + 31 + frame.byteCount] ^= 1
      }
    }
  }

  @Test func `where nothing is whole no store is made, and where nothing was a new one is as empty`() throws {
    let store = try makeStore()
    let (directory, report) = try salvage(store) { bytes in
      // Only the extents' own headers are left.
      for offset in bytes.indices where offset % 4096 < 16 || offset % 4096 >= 32 { bytes[offset] = 0 }
    }
    #expect(report.extentCount > 0 && report.hasLosses && !report.isWritten)
    #expect(directory.entryNames == ["image"])
    let empty = try salvage(TestStore()) { _ in }
    #expect(empty.report.isWritten && !empty.report.hasLosses)
    let tier = try open(empty.directory)
    defer { tier.close() }
    #expect(try tier.spaces().count == 1 && tier.sessionSummaries().isEmpty)
  }

  @Test func `a salvage that cannot be finished leaves nothing`() throws {
    let store = try makeStore()
    let directory = StoreDirectory()
    directory.write(store.directory.contents(), to: "image")
    // A map too small for what comes back.
    let error = #expect(throws: StoreError.self) {
      try StoreSalvage.run(
        from: "\(directory.path)/image", to: "\(directory.path)/new",
        tierOptions: DiskTierOptions(mapSizeBytes: 1 << 16))
    }
    #expect(error?.code == .mapFull)
    #expect(directory.entryNames == ["image"])
  }

  @Test func `a store that came to the new place meanwhile stays, and nothing else is left there`() throws {
    let store = try makeStore()
    let directory = StoreDirectory()
    directory.write(store.directory.contents(), to: "image")
    let new = "\(directory.path)/new"
    var (isThere, failure) = (false, nil as (any Error)?)
    let error = #expect(throws: StoreError.self) {
      try StoreSalvage.run(from: "\(directory.path)/image", to: new) { progress in
        guard progress.phase == .writing, !isThere else { return }
        isThere = true
        do {
          let other = try DiskTier(path: new)
          _ = try other.findOrCreateSpace(fingerprint: ModelFingerprint(model: "another's"), layout: store.layout)
          other.close()
        } catch { failure = error }
      }
    }
    #expect(isThere && failure == nil && error?.code == .alreadyExists)
    let tier = try open(directory)
    defer { tier.close() }
    #expect(try tier.spaces().map(\.fingerprint.model) == ["another's"])
    #expect(entries(of: new).allSatisfy { $0.hasSuffix(".mdb") })
  }

  @Test func `what a salvage that was killed left is no hindrance to the next, another's folder is`() throws {
    let store = try makeStore()
    let directory = StoreDirectory()
    directory.write(store.directory.contents(), to: "image")
    let new = "\(directory.path)/new"
    // No process has a number so high.
    let left = "\(new)/salvage-\(Int32.max - 1)-7"
    #expect(mkdir(new, 0o755) == 0 && mkdir(left, 0o755) == 0 && mkdir("\(new)/salvage-mine", 0o755) == 0)
    directory.write([1, 2, 3], to: "new/salvage-\(Int32.max - 1)-7/data.mdb")
    let error = #expect(throws: StoreError.self) {
      try StoreSalvage.run(from: "\(directory.path)/image", to: new)
    }
    #expect(error?.code == .alreadyExists && entries(of: new) == ["salvage-mine"])
    #expect(rmdir("\(new)/salvage-mine") == 0 && mkdir(left, 0o755) == 0)
    #expect(try StoreSalvage.run(from: "\(directory.path)/image", to: new).isWritten)
    #expect(entries(of: new).allSatisfy { $0.hasSuffix(".mdb") })
  }

  private func entries(of path: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? []
  }

  @Test func `a file that gives other bytes when it is read again ends the salvage, and nothing is left of it`() throws
  {
    let store = try makeStore()
    let directory = StoreDirectory()
    let bytes = store.directory.contents()
    directory.write(bytes, to: "image")
    var last: SalvageProgress?
    let error = #expect(throws: StoreError.self) {
      try StoreSalvage.run(from: "\(directory.path)/image", to: "\(directory.path)/new") { progress in
        guard progress.phase == .searching else { return }
        last = progress
        // All is found, and nothing checked yet.
        directory.write(Array(repeating: 0, count: bytes.count), to: "image")
      }
    }
    #expect(error?.code == .inputOutput)
    #expect(last?.doneByteCount == UInt64(bytes.count) && last?.totalByteCount == UInt64(bytes.count))
    #expect(directory.entryNames == ["image"])
  }
}
