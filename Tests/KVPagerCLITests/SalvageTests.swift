import Foundation
import Testing

struct SalvageTests {
  /// The golden store with a bit of one frame changed; `isBroken`: without its meta pages and with half the page of its
  /// spaces wiped too.
  private func damagedStore(isBroken: Bool) throws -> Folder {
    let folder = try GoldenAnswer.store()
    var bytes = try folder.bytes("store/data.mdb")
    let extents = stride(from: 0, to: bytes.count, by: 4096).filter { bytes[$0 + 16..<$0 + 20] == Data("KVEX".utf8) }
    let frames = extents.filter { bytes[$0 + 32..<$0 + 40] == Data("KVPFRAME".utf8) }
    bytes[frames[10] + 900] ^= 0x10
    if isBroken {
      bytes.resetBytes(in: 0..<8192)
      let mark = try #require(bytes.range(of: Data("tiny-llama".utf8)))
      let page = mark.lowerBound / 4096 * 4096
      bytes.resetBytes(in: page..<page + 2048)
      let other = try #require(bytes.range(of: Data("tiny-llama".utf8)))
      bytes[other.lowerBound] ^= 1
    }
    try folder.write(bytes, to: "store/data.mdb")
    return folder
  }

  @Test func `what would come back is told, and nothing is made`() throws {
    let folder = try damagedStore(isBroken: false)
    try GoldenAnswer.expect(
      "salvage-list.txt", ["salvage", "store", "--list"], asksStore: false, status: 1, in: folder)
    try GoldenAnswer.expect(
      "salvage-list.json", ["salvage", "store/data.mdb", "--list", "--json"], asksStore: false, status: 1, in: folder)
    #expect(try folder.names == ["store"])
  }

  @Test func `a store that does not open is rebuilt, and what is lost is named`() throws {
    let folder = try damagedStore(isBroken: true)
    try CommandLineTool.run(["sessions", "--store", folder.store], expecting: 1)
    let before = try folder.bytes("store/data.mdb")
    try GoldenAnswer.expect("salvage.txt", ["salvage", "store", "new"], asksStore: false, status: 1, in: folder)
    #expect(try folder.bytes("store/data.mdb") == before)
    try CommandLineTool.run(["verify", "--deep", "--store", folder.file("new")])
    try GoldenAnswer.expect(
      "salvage-partial.txt", ["salvage", "store", "cut", "--partial"], asksStore: false, status: 1, in: folder)
    try GoldenAnswer.expect(
      "salvage-partial.json", ["salvage", "store", "other", "--partial", "--json"], asksStore: false, status: 1,
      in: folder)
    try CommandLineTool.run(["verify", "--deep", "--store", folder.file("cut")])
    let cut = try CommandLineTool.run(["sessions", "--store", folder.file("cut"), "--json"]).json().list("sessions")
    #expect(cut.contains { ($0.members["metadata"] as? [String: String])?["salvage.cut"] != nil })
    #expect(cut.count == 8)
  }

  @Test func `only the sessions that are named come back, with the blocks that they hold`() throws {
    let folder = try GoldenAnswer.store()
    let answer = try CommandLineTool.run(
      ["salvage", folder.store, folder.file("new"), "--name", "support/*", "--json"]
    ).json()
    #expect(try answer.list("sessions", "list").count == 5)
    #expect(try answer.integer("blocks", "cached") == 0)
    let list = try CommandLineTool.run(["sessions", "--store", folder.file("new"), "--json"]).json().list("sessions")
    let names = try list.map { try $0.text("name") }
    #expect(names.count == 5 && names.allSatisfy { $0.hasPrefix("support/") })
    let held = try CommandLineTool.run(
      ["salvage", folder.store, folder.file("held"), "--sessions-only", "--json"]
    ).json()
    #expect(try held.integer("sessions", "whole") == 8 && held.integer("blocks", "cached") == 0)
    let stats = try CommandLineTool.run(["stats", "--store", folder.file("held"), "--json"]).json()
    #expect(try stats.integer("blocks", "unique") == held.integer("blocks", "salvaged"))
  }

  @Test func `exports from the new store are the files that were imported`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat", "--expires", "30d", "--metadata", "user=anna")
    try folder.importSample(Samples.quantized, as: "other")
    var bytes = try folder.bytes("store/data.mdb")
    bytes.resetBytes(in: 0..<8192)
    try folder.write(bytes, to: "image")
    try CommandLineTool.run(["salvage", folder.file("image"), folder.file("new")])
    for (session, sample) in [("chat", Samples.long), ("other", Samples.quantized)] {
      try CommandLineTool.run(
        ["export", folder.file("out"), "--force", "--session", session, "--store", folder.file("new")])
      #expect(try folder.bytes("out") == Samples.bytes(sample))
    }
    let list = try CommandLineTool.run(["sessions", "--store", folder.file("new"), "--json"]).json().list("sessions")
    let chat = try #require(try list.first { try $0.text("name") == "chat" })
    #expect(try chat.text("metadata", "user") == "anna")
    #expect(try chat.integer("expiresMicroseconds") > chat.integer("createdMicroseconds"))
    // Whoever computes with the same model goes on sharing what was salvaged.
    let again = try CommandLineTool.run(
      ["import", Samples.path(Samples.long), "--store", folder.file("new"), "--session", "again", "--json"]
    ).json()
    #expect(try again.integer("blocks", "shared") == 8)
  }

  @Test func `nothing is written where nothing may be, and what hinders is said`() throws {
    let folder = try damagedStore(isBroken: false)
    func refuse(_ arguments: [String], status: Int32 = 1, _ word: String) throws {
      let outcome = try CommandLineTool.run(["salvage"] + arguments, expecting: status)
      #expect(outcome.error.contains(word), "\(arguments): \(outcome.error)")
    }
    try refuse([folder.store], status: 2, "--list")
    try refuse([folder.store, folder.file("new"), "--list"], status: 2, "--list")
    try refuse([folder.store, folder.store], "not empty")
    try folder.write(Data("text".utf8), to: "file")
    try refuse([folder.store, folder.file("file")], "no folder")
    try refuse([folder.store, folder.file("none/new")], "parent folder")
    try refuse([folder.file("none"), folder.file("new")], "no store")
    try refuse([folder.file("file"), folder.file("new")], "no trace")
    #expect(try folder.names == ["file", "store"])
    try refuse([folder.store, folder.file("new"), "--name", "nobody*"], "nobody*")
    #expect(!folder.exists("new"))
  }
}
