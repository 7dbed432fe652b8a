import Foundation
import Testing

@Suite struct AnswerTests {
  @Test func `stats count what the store holds`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    try CommandLineTool.run(["fork", "chat", "--as", "half", "--tokens", "256", "--store", folder.store])
    let stats = try CommandLineTool.run(["stats", "--store", folder.store, "--json"]).json()
    #expect(try stats.integer("sessions") == 2)
    #expect(try stats.integer("blocks", "unique") == 8)
    #expect(try stats.integer("blocks", "references") == 12)
    #expect(try stats.integer("bytes", "logical") == (512 + 256) * 23_040)
    #expect(try stats.integer("bytes", "unique") == 512 * 23_040)
    let compressed = try stats.integer("bytes", "compressed")
    #expect((1..<512 * 23_040).contains(compressed))
    #expect(try stats.integer("bytes", "disk") >= compressed)
    let text = try CommandLineTool.run(["stats", "--store", folder.store]).text
    #expect(text.contains("8 unique, 12 references"))
  }

  @Test func `sessions are listed with their tokens, bytes and times`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "zwölf Bären", "--expires", "30d", "--metadata", "user=anna=b")
    try folder.importSample(Samples.long, as: "a")
    let list = try CommandLineTool.run(["sessions", "--store", folder.store, "--json"]).json().list("sessions")
    #expect(Set(try list.map { try $0.text("name") }) == ["a", "zwölf Bären"])
    let bears = try #require(try list.first { try $0.text("name") == "zwölf Bären" })
    #expect(try bears.integer("tokens") == 48)
    #expect(try bears.integer("blocks", "count") == 1)
    #expect(try bears.integer("bytes", "logical") == 48 * 12_240)
    #expect(try bears.text("metadata", "user") == "anna=b")
    #expect(try bears.text("metadata", "import.file") == Samples.quantized)
    #expect(try bears.text("metadata", "import.format").contains("version 4"))
    let lifetime = try bears.integer("expiresMicroseconds") - bears.integer("createdMicroseconds")
    #expect(abs(lifetime - 30 * 86_400_000_000) < 3_600_000_000)
    let other = try #require(try list.first { try $0.text("name") == "a" })
    #expect(other.isNull("expiresMicroseconds"))

    let lines = try CommandLineTool.run(["sessions", "--store", folder.store]).text.split(separator: "\n")
    #expect(lines.count == 4 && lines[3].hasPrefix("2 sessions: "))
    #expect(lines[0].hasPrefix("NAME"))
    #expect(lines.dropFirst().allSatisfy { $0.contains("KiB") || $0.contains("MiB") })
  }

  @Test func `a session's blocks say which of them others have`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    try CommandLineTool.run(["fork", "--session", "chat", "--as", "part", "--tokens", "100", "--store", folder.store])
    let part = try CommandLineTool.run(["session", "part", "--store", folder.store, "--json"]).json()
    #expect(try part.integer("tokens") == 100)
    #expect(try part.integer("blocks", "count") == 2)
    #expect(try part.integer("blocks", "shared") == 1)
    #expect(try part.integer("bytes", "unique") == 36 * 23_040)
    #expect(try part.list("blockTable").map { try $0.integer("tokens") } == [64, 36])
    let text = try CommandLineTool.run(["session", "part", "--store", folder.store]).text
    #expect(text.contains("1 shared with other sessions"))
  }

  @Test func `info names the format and the cache spaces`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat", "--model", "smollm2-135m")
    let info = try CommandLineTool.run(["info", "--store", folder.store, "--json"]).json()
    #expect(try info.integer("formatVersion") == 1)
    #expect(try info.flag("opens"))
    let space = try #require(try info.list("spaces").first)
    #expect(try space.text("model") == "smollm2-135m")
    #expect(try space.integer("blockTokens") == 64)
    #expect(try space.list("planes").count == 60)
    #expect(try CommandLineTool.run(["info", "--store", folder.store]).text.contains("smollm2-135m"))
  }

  @Test func `the commands that write answer in JSON too`() throws {
    let folder = try Folder()
    let imported = try folder.importSample(Samples.long, as: "chat")
    #expect(try imported.text("session") == "chat")
    #expect(try imported.integer("tokens") == 512)
    #expect(try imported.integer("bytes", "rows") == 512 * 23_040)
    #expect(try imported.integer("bytes", "written") > 0)
    for name in ["memory", "disk", "misses"] { #expect(try imported.integer("hits", name) >= 0) }
    #expect(try imported.integer("milliseconds") >= 0)

    let fork = try CommandLineTool.run(["fork", "chat", "--as", "b", "--store", folder.store, "--json"]).json()
    #expect(try fork.integer("blocks", "shared") == 8)
    let export = try CommandLineTool.run(
      ["export", folder.file("x"), "--store", folder.store, "--session", "b", "--json"]
    ).json()
    #expect(try export.integer("bytes", "file") == Samples.bytes(Samples.long).count)
    #expect(try export.integer("hits", "disk") > 0)
    let deleted = try CommandLineTool.run(["delete", "b", "--store", folder.store, "--json"]).json()
    #expect(deleted.members["deleted"] as? [String] == ["b"])
    let collected = try CommandLineTool.run(["gc", "--store", folder.store, "--json"]).json()
    #expect(try collected.integer("expiredSessions") == 0)
    #expect(try collected.integer("deletedBlocks") == 0)
    #expect(try collected.integer("freedBytes") == 0)
    #expect(try collected.integer("keptExtents") == 0)
  }

  @Test func `a sound store verifies, and a damaged one is a finding`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    for more in [[], ["--deep"]] {
      let report = try CommandLineTool.run(["verify", "--store", folder.store, "--json"] + more).json()
      #expect(try report.flag("sound"))
      #expect(try report.list("findings").isEmpty)
    }
    // Rows fill most of the file: its middle lies in some frame.
    let data = URL(fileURLWithPath: folder.store).appendingPathComponent("data.mdb")
    var bytes = try Data(contentsOf: data)
    bytes[bytes.count / 2] ^= 0x40
    try bytes.write(to: data)
    let report = try CommandLineTool.run(["verify", "--deep", "--store", folder.store, "--json"], expecting: 1).json()
    #expect(try !report.flag("sound"))
    #expect(try !report.list("findings").isEmpty)
    let text = try CommandLineTool.run(["verify", "--deep", "--store", folder.store], expecting: 1).text
    // The frame, and the session that holds its block.
    #expect(text.contains("2 findings") && text.contains("1 session holds it: \"chat\""))

    // A file cut in half kills whoever maps it: the store refuses, verify still answers.
    try bytes.prefix(bytes.count / 2).write(to: data)
    let cut = try CommandLineTool.run(["verify", "--store", folder.store, "--json"], expecting: 1).json()
    #expect(try !cut.flag("usable"))
    let refused = try CommandLineTool.run(
      ["export", folder.file("x"), "--store", folder.store, "--session", "chat"], expecting: 1)
    #expect(refused.error.contains("damaged"))
    #expect(!folder.exists("x"))
    let info = try CommandLineTool.run(["info", "--store", folder.store, "--json"], expecting: 1)
    #expect(try !info.json().flag("opens"))
  }

  @Test func `expired sessions go at the next gc, others stay`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "short", "--expires", "1s")
    try folder.importSample(Samples.quantized, as: "long", "--expires", "1h")
    var deletedCount = 0
    for _ in 0..<100 where deletedCount == 0 {
      deletedCount = try CommandLineTool.run(["gc", "--store", folder.store, "--json"]).json().integer(
        "expiredSessions")
      if deletedCount == 0 { Thread.sleep(forTimeInterval: 0.1) }
    }
    #expect(deletedCount == 1)
    let left = try CommandLineTool.run(["sessions", "--store", folder.store, "--json"]).json().list("sessions")
    #expect(try left.map { try $0.text("name") } == ["long"])
  }

  @Test func `a replaced session is the new one`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    // Another element type, so another cache space; then the same space again.
    for sample in [Samples.long, Samples.long, Samples.quantized] {
      try folder.importSample(sample, as: "chat", "--replace")
      let list = try CommandLineTool.run(["sessions", "--store", folder.store, "--json"]).json().list("sessions")
      #expect(list.count == 1)
      try CommandLineTool.run(["export", folder.file("out"), "--store", folder.store, "--session", "chat", "--force"])
      #expect(try folder.bytes("out") == Samples.bytes(sample))
    }
  }
}
