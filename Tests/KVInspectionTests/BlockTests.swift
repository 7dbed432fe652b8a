import Foundation
import KVBlocks
import Testing

@testable import KVDiskTier
@testable import KVInspection

@Suite struct `one block` {
  private static func prefix(_ hash: BlockHash, _ digits: Int = 64) throws -> HashPrefix {
    try #require(HashPrefix(String(hash.description.prefix(digits))))
  }

  private static func blocks(_ store: InspectedStore, _ session: String) throws -> [BlockHash] {
    try StoreInspector(path: store.path).session(named: session).blocks.map(\.hash)
  }

  @Test func `a block is found by its first digits, with its chain and holders`() throws {
    let store = try InspectedStore()
    let blocks = try Self.blocks(store, "chat 1")
    let inspector = StoreInspector(path: store.path)
    let shared = try inspector.block(try Self.prefix(blocks[5], 10))
    #expect(shared.record.key.hash == blocks[5] && shared.isSound)
    #expect(shared.sessions == ["chat 0", "chat 1", "chat 2"] && shared.sessionCount == 3)
    #expect(shared.chain.map(\.blockCount) == [6] && shared.tokenOffset == 80)
    let tail = try inspector.block(try Self.prefix(blocks[8]))
    #expect(tail.sessions == ["chat 1"] && tail.record.tokens.count == 4 && tail.tokenOffset == 128)
    #expect(tail.chain.map(\.blockCount) == [6, 3] && tail.chain.map(\.sessionCount) == [3, 1])
    #expect(tail.chain[0].first == blocks[0] && tail.chain[0].last == blocks[5] && tail.chain[1].last == blocks[8])
    #expect(tail.planes.count == 4 && tail.planes.allSatisfy { $0.numbers?.valueCount == 4 * 256 })
    #expect(tail.frame.extents.count == 1 && tail.diskByteCount % 4096 == 0)
  }

  @Test func `what is no block, too short or too many blocks says what helps`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let blocks = try Self.blocks(store, "chat 1")
    func code(_ text: String, _ space: UInt32? = nil) throws -> StoreError? {
      let prefix = try #require(HashPrefix(text))
      return #expect(throws: StoreError.self) {
        try inspector.block(prefix, BlockOptions(space: space.map { SpaceID(rawValue: $0) }))
      }
    }
    let absent = String(repeating: "0", count: 64)
    #expect(try code(absent)?.code == .notFound)
    #expect(try code(String(blocks[0].description.prefix(3)))?.code == .invalidArgument)
    #expect(try code(blocks[0].description, 9)?.code == .notFound)
    #expect(HashPrefix("") == nil && HashPrefix("xyz1") == nil && HashPrefix(absent + "0") == nil)
    let plane = try #require(PlaneChoice("9.keys"))
    let error = #expect(throws: StoreError.self) {
      try inspector.block(try Self.prefix(blocks[0]), BlockOptions(planes: [plane]))
    }
    #expect(error?.message.contains("planes 0 to 3") == true)
  }

  @Test func `a hash that two spaces have needs the space`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-twice-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let plane = PlaneLayout(Plane(.keys, layer: 0), elementType: .f32, rowByteCount: 8)
    do {
      let tier = try DiskTier(path: path)
      defer { tier.close() }
      // The same seed gives the same root, and so the same hashes, whatever the layout.
      for size in [4, 8] {
        let layout = try BlockLayout(blockTokenCount: size, planes: [plane])
        let space = try tier.findOrCreateSpace(
          fingerprint: ModelFingerprint(model: "m\(size)", vllmSeed: "seed"), layout: layout)
        let descriptor = BlockDescriptor(space: space.id, parent: space.root, tokens: [1, 2, 3])
        let rows = [UInt8](repeating: 1, count: layout.frameByteCount)
        let frame = try rows.withUnsafeBytes { try tier.encode(descriptor, layout: layout, frame: $0) }
        var batch = ColdBatch()
        batch.writes = [ColdBatch.Write(frame: frame, lastUse: 1)]
        _ = try tier.commit(batch, isProtected: { _ in false })
      }
    }
    let inspector = StoreInspector(path: path)
    let list = try inspector.blocks(BlockQuery())
    #expect(list.count == 2 && list[0].key.hash == list[1].key.hash)
    let prefix = try Self.prefix(list[0].key.hash, 8)
    let error = #expect(throws: StoreError.self) { try inspector.block(prefix) }
    #expect(error?.code == .invalidArgument && error?.message.contains("--space") == true)
    for space in [1, 2] as [UInt32] {
      let id = SpaceID(rawValue: space)
      #expect(try inspector.block(prefix, BlockOptions(space: id)).space.id == id)
    }
  }

  @Test func `rows come out as they were stored`() throws {
    let store = try InspectedStore()
    let hash = try Self.blocks(store, "chat 2")[7]
    // As the fixture makes them, from the hash's first byte on.
    var numbers = hash.bytes[0]
    let frame = (0..<store.space.layout.frameByteCount).map { _ -> UInt8 in
      numbers = numbers &* 13 &+ 7
      return numbers
    }
    for (index, name) in ["0.keys", "0.values", "1.k", "3"].enumerated() {
      let start = store.space.layout.planeOffset(index)
      let rows = try StoreInspector(path: store.path).withRows(
        of: try #require(PlaneChoice(name)), try Self.prefix(hash)
      ) { (layout, tokenCount, rows) throws(StoreError) in
        #expect(tokenCount == 16 && layout == store.space.layout.planes[index])
        return Array(rows)
      }
      #expect(rows == Array(frame[start..<start + 16 * 512]))
    }
  }
}

@Suite struct `a block of a damaged frame` {
  /// Damages the frame of one block of "chat 1" and looks at it.
  private static func look(
    _ change: (inout [UInt8], _ frameAt: Int, _ detail: BlockDetail) -> Void
  ) throws -> (before: BlockDetail, after: BlockDetail) {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let hash = try inspector.session(named: "chat 1").blocks[7].hash
    let prefix = try #require(HashPrefix(hash.description))
    let before = try inspector.block(prefix)
    let id = before.record.frame.id
    try store.damage { bytes in
      let page = InspectedStore.extentPages(bytes).first { page in
        (0..<8).allSatisfy { bytes[page + 24 + $0] == UInt8(id >> (8 * UInt64($0)) & 0xff) }
      }
      guard let page else { return }
      change(&bytes, page + 32, before)
    }
    return (before, try inspector.block(prefix))
  }

  @Test func `a flipped bit in a plane leaves the others to be told`() throws {
    let (before, after) = try Self.look { bytes, frame, detail in
      bytes[frame + (detail.planes[2].stored?.offset ?? 0) + 9] ^= 0x10
    }
    #expect(!after.isSound && after.findings.isEmpty)
    #expect(after.planes[2].failure?.contains("checksum") == true && after.planes[2].numbers == nil)
    for plane in [0, 1, 3] { #expect(after.planes[plane] == before.planes[plane]) }
    #expect(after.chain == before.chain && after.sessions == before.sessions)
  }

  @Test func `a flipped bit in the header leaves the record and the chain`() throws {
    let (before, after) = try Self.look { bytes, frame, _ in bytes[frame + 40] ^= 1 }
    #expect(after.findings.count == 1 && after.frame.header == nil && !after.isSound)
    #expect(after.planes.allSatisfy { $0.failure != nil && $0.numbers == nil })
    #expect(after.record == before.record && after.chain == before.chain)
  }

  @Test func `an extent that says it is another is named, and its rows are still verified`() throws {
    let (before, after) = try Self.look { bytes, frame, _ in bytes[frame - 12] ^= 2 }
    #expect(after.findings.count == 1 && after.findings.first?.contains("extent 0") == true)
    #expect(after.planes == before.planes)
  }

  @Test func `a dump of a damaged plane gives no byte`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let hash = try inspector.session(named: "chat 0").blocks[0].hash
    try store.damage { bytes in
      for page in InspectedStore.extentPages(bytes) { bytes[page + 700] ^= 1 }
    }
    let prefix = try #require(HashPrefix(hash.description))
    let damaged = try #require(try inspector.block(prefix).planes.firstIndex { $0.failure != nil })
    for plane in 0..<4 {
      var isCalled = false
      do throws(StoreError) {
        try inspector.withRows(of: .index(plane), prefix) { (_, _, _) throws(StoreError) in isCalled = true }
        #expect(plane != damaged)
      } catch {
        #expect(error.code == .damaged && plane == damaged)
      }
      #expect(isCalled == (plane != damaged))
    }
  }
}
