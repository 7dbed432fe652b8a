import Foundation
import KVBlocks
import Testing

@testable import KVInspection

@Suite struct `inspecting a store` {
  @Test func `stats count blocks once and references as often as they are held`() throws {
    let store = try InspectedStore()
    let statistics = try StoreInspector(path: store.path).statistics()
    #expect(statistics.sessionCount == 3)
    #expect(statistics.uniqueBlockCount == 6 + 3 * 3)
    #expect(statistics.blockReferenceCount == 3 * 9)
    #expect(statistics.logicalByteCount == 3 * 132 * 2048)
    #expect(statistics.uniqueByteCount == (96 + 3 * 36) * 2048)
    #expect(statistics.compressedByteCount > 0 && statistics.diskByteCount <= statistics.fileByteCount)
    let text = statistics.json.text()
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(parsed["sessions"] as? Int == 3)
    #expect((parsed["blocks"] as? [String: Int])?["references"] == 27)
    let bytes = try #require(parsed["bytes"] as? [String: Int])
    #expect(Set(bytes.keys).isSuperset(of: ["logical", "unique", "compressed", "disk"]))
  }

  @Test func `sessions show what they share`() throws {
    let store = try InspectedStore()
    let sessions = try StoreInspector(path: store.path).sessions()
    #expect(sessions.map(\.name) == ["chat 0", "chat 1", "chat 2"])
    for session in sessions {
      #expect(session.tokenCount == 132 && session.blockCount == 9)
      #expect(session.sharedBlockCount == 6 && session.missingBlockCount == 0)
      #expect(session.logicalByteCount == 132 * 2048 && session.uniqueByteCount == 36 * 2048)
      #expect(session.diskByteCount >= session.compressedByteCount)
    }
    #expect(sessions.map(\.checkpointByteCount) == [3, 0, 0])
  }

  @Test func `one session comes with tokens and blocks`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let detail = try inspector.session(named: "chat 1")
    #expect(detail.tokens.count == 132)
    #expect(detail.blocks.map(\.tokenOffset) == (0..<9).map { $0 * 16 })
    #expect(detail.blocks.map(\.sessionCount) == [3, 3, 3, 3, 3, 3, 1, 1, 1])
    #expect(detail.json.text().contains(#""title": "a \"quoted\" title""#))
    let error = #expect(throws: StoreError.self) { try inspector.session(named: "nobody") }
    #expect(error?.code == .notFound)
  }

  @Test func `info names the space, the format and the guard's counts`() throws {
    let store = try InspectedStore()
    let info = try StoreInspector(path: store.path).info()
    let contents = try #require(info.contents)
    #expect(info.refusal == nil && contents.formatVersion == 1 && contents.storeID.count == 32)
    #expect(contents.spaces.map(\.space) == [store.space])
    #expect(contents.spaces[0].sessionCount == 3 && contents.spaces[0].blockCount == 15)
    #expect(info.file?.tables.map(\.name).contains("extents") == true)
    _ = try JSONSerialization.jsonObject(with: Data(info.json.text().utf8))
  }

  @Test func `inspecting changes no byte of the store`() throws {
    let store = try InspectedStore()
    let before = try Data(contentsOf: URL(fileURLWithPath: store.dataPath))
    let inspector = StoreInspector(path: store.path)
    _ = try inspector.info()
    _ = try inspector.sessions()
    #expect(try inspector.verify(deep: true).isSound)
    #expect(try Data(contentsOf: URL(fileURLWithPath: store.dataPath)) == before)
  }

  @Test func `a path without a store is not found, another program's file is none`() throws {
    let store = try InspectedStore()
    #expect(throws: StoreError.self) { try StoreInspector(path: store.path + "/none").verify() }
    try store.damage { $0 = Array("a text".utf8) }
    let error = #expect(throws: StoreError.self) { try StoreInspector(path: store.path).verify() }
    #expect(error?.code == .notAStore)
  }
}

@Suite struct `verifying a damaged store` {
  @Test func `a flipped bit in a frame is one finding of a deep look, and the store stays usable`() throws {
    let store = try InspectedStore()
    try store.damage { bytes in bytes[InspectedStore.extentPages(bytes)[0] + 700] ^= 1 }
    let inspector = StoreInspector(path: store.path)
    #expect(try inspector.verify().isSound)
    let report = try inspector.verify(deep: true)
    #expect(report.isUsable && report.findings.allSatisfy { $0.severity == .damage && !$0.remedy.isEmpty })
    let block = try #require(report.findings.first)
    #expect(block.kind == "frame" && report.findings.dropFirst().allSatisfy { $0.kind == "missingBlock" })
    // One block of all three sessions, or of one; each that holds it is named.
    #expect(block.sessionCount == report.findings.count - 1 && block.sessionCount == block.sessions.count)
    #expect(report.scope?.brokenBlockCount == 1 && report.scope?.hurtSessionCount == block.sessionCount)
  }

  @Test func `a truncated store is refused, and its whole frames and sessions are counted`() throws {
    let store = try InspectedStore()
    try store.damage { $0.removeLast($0.count / 3) }
    let inspector = StoreInspector(path: store.path)
    #expect(try inspector.info().refusal?.contains("truncated") == true)
    let report = try inspector.verify()
    let raw = try #require(report.salvageable)
    #expect(!report.isSound && !report.isUsable)
    #expect(raw.blocks.wholeCount > 0 && raw.blocks.wholeCount < 15)
    _ = try JSONSerialization.jsonObject(with: Data(report.json.text().utf8))
  }

  @Test func `wiped meta pages leave every block and session to be found`() throws {
    let store = try InspectedStore()
    try store.damage { bytes in for offset in 0..<8192 { bytes[offset] = 0 } }
    let raw = try #require(try StoreInspector(path: store.path).verify().salvageable)
    #expect(raw.blocks.wholeCount == 15 && raw.blocks.damagedCount == 0)
    #expect(raw.wholeSessionCount == 3 && raw.checkpoints.wholeCount == 1)
  }

  @Test func `random damage anywhere is reported, never a crash`() throws {
    for seed in 0..<UInt64(30) {
      let store = try InspectedStore()
      var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
      func next(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
      }
      try store.damage { bytes in
        for _ in 0...next(200) { bytes[next(bytes.count)] = UInt8(next(256)) }
      }
      do throws(StoreError) {
        let report = try StoreInspector(path: store.path).verify(deep: true)
        #expect(report.json.text().count > 100)
      } catch {
        #expect(error.code == .versionTooNew || error.code == .foreignByteOrder, "\(error)")
      }
    }
  }
}
