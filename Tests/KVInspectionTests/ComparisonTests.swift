import Foundation
import KVBlocks
import Testing

@testable import KVDiskTier
@testable import KVInspection

struct ComparisonTests {
  @Test func `rows that damage took are told, and no other is blamed`() throws {
    let (whole, damaged) = (try InspectedStore(), try InspectedStore())
    let pair = StorePair(StoreInspector(path: whole.path), StoreInspector(path: damaged.path))
    let chat = SessionChoice(name: "chat 1")
    let before = try pair.compare(chat, chat)
    #expect(before.isEqual)
    #expect(before.rows.comparedTokenCount == 132)
    // Two stores: their blocks have the same names, and are read nevertheless.
    #expect(before.rows.sharedTokenCount == 0)
    // One byte in the rows of each frame.
    try damaged.damage { bytes in
      for page in InspectedStore.extentPages(bytes) { bytes[page + 1000] ^= 1 }
    }
    let after = try pair.compare(chat, chat)
    #expect(!after.isEqual)
    #expect(after.commonTokenCount == 132 && after.firstToken == nil && after.firstBlock == nil)
    #expect(after.rows.missingTokenCount > 0)
    #expect(after.rows.planes.isEmpty, "what cannot be read is not different")
    #expect(after.rows.missingReason?.contains(damaged.path) == true)
    let stores = try pair.compareStores(isDeep: true)
    #expect(!stores.isEqual)
    #expect(stores.equalSessionCount == 3, "what is wrong lies in the blocks")
    #expect(stores.spaces.map(\.differentBlockCount).reduce(0, +) > 0)
    #expect(try pair.compareStores().isEqual, "not deep: tables alone")
  }

  @Test func `sessions of one store share what they share`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let comparison = try StorePair(inspector, inspector).compare(
      SessionChoice(name: "chat 0"), SessionChoice(name: "chat 2"))
    #expect(comparison.commonTokenCount == 96)
    #expect(comparison.commonBlockCount == 6)
    #expect(comparison.firstToken == .init(index: 96, a: 1_000, b: 3_000))
    #expect(comparison.firstBlockToken == 96)
    #expect(comparison.rows.sharedTokenCount == 96)
    #expect(comparison.rows.isEqual)
    #expect(!comparison.hasEqualCheckpoints)
    #expect(!comparison.isEqual)
  }

  @Test func `numbers differ by value, and what is no number is counted apart`() throws {
    let layout = try BlockLayout(
      blockTokenCount: 4,
      planes: [
        PlaneLayout(Plane(.keys, layer: 0), elementType: .f32, rowByteCount: 8),
        PlaneLayout(Plane(.values, layer: 0), elementType: .raw, rowByteCount: 3),
      ])
    func store(_ rows: [Float], _ raw: [UInt8]) throws -> StoreInspector {
      let path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-diff-\(UUID().uuidString)").path
      let tier = try DiskTier(path: path)
      defer { tier.close() }
      let space = try tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "m"), layout: layout)
      let descriptor = BlockDescriptor(space: space.id, parent: space.root, tokens: [1, 2, 3])
      var frame = [UInt8](repeating: 0, count: layout.frameByteCount)
      rows.withUnsafeBytes { frame.replaceSubrange(0..<24, with: $0) }
      frame.replaceSubrange(layout.planeOffset(1)..<layout.planeOffset(1) + 9, with: raw)
      let encoded = try frame.withUnsafeBytes { try tier.encode(descriptor, layout: layout, frame: $0) }
      var batch = ColdBatch()
      batch.writes = [ColdBatch.Write(frame: encoded, lastUse: 1)]
      let record = SessionRecord(space: space.id, name: "s", tokens: [1, 2, 3], blocks: [descriptor.key.hash])
      batch.operations = [.put(record, checkpoint: .keep, condition: .absent)]
      _ = try tier.commit(batch, isProtected: { _ in false })
      return StoreInspector(path: path)
    }
    let a = try store([1, 2, .nan, 4, -0.0, 6], [1, 2, 3, 4, 5, 6, 7, 8, 9])
    let b = try store([1, 2.5, .nan, .infinity, 0.0, 3], [1, 2, 3, 4, 5, 6, 7, 0, 0])
    defer { for path in [a.path, b.path] { try? FileManager.default.removeItem(atPath: path) } }
    let rows = try StorePair(a, b).compare(SessionChoice(name: "s"), SessionChoice(name: "s")).rows
    let numbers = try #require(rows.planes.first)
    #expect(numbers.rowCount == 3)
    #expect(numbers.numbers.valueCount == 3, "two zeros are one number, and so is what is none")
    #expect(numbers.numbers.nonFiniteCount == 1)
    #expect(numbers.numbers.largest == 3)
    #expect(numbers.numbers.token == 2 && numbers.numbers.element == 1)
    let bytes = try #require(rows.planes.last)
    #expect(bytes.rowCount == 1 && bytes.byteCount == 2 && bytes.numbers.largest == nil)
    #expect(rows.firstToken == 0 && rows.firstPlane == Plane(.keys, layer: 0))
    #expect(rows.rowCount == 4)
  }
}
