import Foundation
import Testing

@Suite struct RoundTripTests {
  @Test(arguments: Samples.all)
  func `a sample comes out as it went in, with all the RAM and with two blocks of it`(sample: String) throws {
    let folder = try Folder()
    let report = try folder.importSample(sample, as: "chat", "--memory", "1GiB")
    #expect(try report.integer("bytes", "file") == Samples.bytes(sample).count)
    try CommandLineTool.run(["export", folder.file("roomy"), "--store", folder.store, "--session", "chat"])
    #expect(try folder.bytes("roomy") == Samples.bytes(sample))

    let tight = try Folder()
    let memory = String(2 * (try frameByteCount(folder)))
    try tight.importSample(sample, as: "chat", "--memory", memory)
    try CommandLineTool.run(
      ["export", tight.file("tight"), "--store", tight.store, "--session", "chat", "--memory", memory])
    #expect(try tight.bytes("tight") == Samples.bytes(sample))
  }

  /// Bytes of a frame in RAM: planes begin at multiples of 64 bytes.
  private func frameByteCount(_ folder: Folder) throws -> Int {
    let space = try #require(
      try CommandLineTool.run(["info", "--store", folder.store, "--json"]).json().list("spaces").first)
    let blockTokenCount = try space.integer("blockTokens")
    return try space.list("planes").reduce(0) { try $0 + ($1.integer("rowBytes") * blockTokenCount + 63) / 64 * 64 }
  }

  @Test(arguments: [1, 63, 64, 65, 511])
  func `a prefix is exported as a fork of that length is, and comes back as the same session`(tokenCount: Int) throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    let count = String(tokenCount)
    try CommandLineTool.run(
      ["export", folder.file("prefix"), "--store", folder.store, "--session", "chat", "--tokens", count])
    try CommandLineTool.run(["fork", "chat", "--as", "branch", "--tokens", count, "--store", folder.store])
    try CommandLineTool.run(["export", folder.file("fork"), "--store", folder.store, "--session", "branch"])
    #expect(try folder.bytes("prefix") == folder.bytes("fork"))
    #expect(try folder.bytes("prefix").count < Samples.bytes(Samples.long).count)

    let report = try CommandLineTool.run(
      ["import", folder.file("prefix"), "--store", folder.store, "--session", "again", "--json"]
    ).json()
    #expect(try report.integer("tokens") == tokenCount)
    #expect(try report.integer("blocks", "shared") == report.integer("blocks", "total"))
    try CommandLineTool.run(["export", folder.file("again"), "--store", folder.store, "--session", "again"])
    #expect(try folder.bytes("again") == folder.bytes("prefix"))
  }

  @Test func `blocks of any size give the same bytes`() throws {
    for blockTokenCount in ["1", "7", "16", "512", "1000"] {
      let folder = try Folder()
      try folder.importSample(Samples.quantized, as: "chat", "--block-tokens", blockTokenCount)
      try CommandLineTool.run(["export", folder.file("out"), "--store", folder.store, "--session", "chat"])
      #expect(try folder.bytes("out") == Samples.bytes(Samples.quantized))
    }
  }

  @Test func `a second import of a file shares all its blocks`() throws {
    let folder = try Folder()
    let first = try folder.importSample(Samples.long, as: "first")
    #expect(try first.integer("blocks", "total") == 8)
    #expect(try first.integer("blocks", "shared") == 0)
    let second = try folder.importSample(Samples.long, as: "second")
    #expect(try second.integer("blocks", "shared") == 8)
    #expect(try second.integer("bytes", "written") == 0)
    let stats = try CommandLineTool.run(["stats", "--store", folder.store, "--json"]).json()
    #expect(try stats.integer("sessions") == 2)
    #expect(try stats.integer("blocks", "unique") == 8)
    #expect(try stats.integer("blocks", "references") == 16)
    #expect(try stats.integer("bytes", "logical") == 2 * stats.integer("bytes", "unique"))
  }

  @Test func `other models, adapters and salts share nothing`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "plain")
    for (name, more) in [("model", ["--model", "m"]), ("adapter", ["--adapter", "a"]), ("salt", ["--salt", "s"])] {
      let report = try CommandLineTool.run(
        ["import", Samples.path(Samples.quantized), "--store", folder.store, "--session", name, "--json"] + more
      ).json()
      #expect(try report.integer("blocks", "shared") == 0)
    }
    #expect(try CommandLineTool.run(["info", "--store", folder.store, "--json"]).json().list("spaces").count == 4)
  }

  @Test func `the same tokens with other rows become blocks of their own`() throws {
    let folder = try Folder()
    var bytes = try Samples.bytes(Samples.long)
    bytes[bytes.count - 1] ^= 1
    try folder.write(bytes, to: "other.ggsq")
    try folder.importSample(Samples.long, as: "one")
    let report = try CommandLineTool.run(
      ["import", folder.file("other.ggsq"), "--store", folder.store, "--session", "other", "--json"]
    ).json()
    #expect(try report.integer("blocks", "shared") == 7)
    for (session, expected) in [("one", try Samples.bytes(Samples.long)), ("other", bytes)] {
      try CommandLineTool.run(["export", folder.file(session), "--store", folder.store, "--session", session])
      #expect(try folder.bytes(session) == expected)
    }
  }

  @Test func `a blob without tokens is kept apart, and shares once they are given`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    try CommandLineTool.run([
      "export", folder.file("blob"), "--store", folder.store, "--session", "chat", "--format", "llama-blob",
    ])
    let apart = try CommandLineTool.run(
      ["import", folder.file("blob"), "--store", folder.store, "--session", "apart", "--json"]
    ).json()
    #expect(try !apart.flag("tokensAreKnown"))
    #expect(try apart.integer("blocks", "shared") == 0)

    let session = try CommandLineTool.run(["session", "chat", "--store", folder.store, "--json"]).json()
    let tokens = try #require(session.members["tokenIDs"] as? [Int])
    #expect(tokens.count == 512)
    for (name, text) in [("json", "\(tokens)\n"), ("plain", tokens.map(String.init).joined(separator: "\n"))] {
      try folder.write(Data(text.utf8), to: "ids")
      // The file's origin tells of a blob, not of a sequence file, but the rows are the same under the same settings.
      let report = try CommandLineTool.run([
        "import", folder.file("blob"), "--store", folder.store, "--session", name, "--tokens", folder.file("ids"),
        "--json",
      ]).json()
      #expect(try report.flag("tokensAreKnown"))
      #expect(try report.integer("blocks", "shared") == 8)
      try CommandLineTool.run(["export", folder.file("out-\(name)"), "--store", folder.store, "--session", name])
      #expect(try folder.bytes("out-\(name)") == folder.bytes("blob"))
    }
    try CommandLineTool.run(["export", folder.file("out-apart"), "--store", folder.store, "--session", "apart"])
    #expect(try folder.bytes("out-apart") == folder.bytes("blob"))
  }

  @Test func `versions and formats convert there and back`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    let conversions = [
      ("v3", ["--llama-version", "3"], ["--llama-version", "4"]),
      ("v2", ["--llama-version", "2"], ["--llama-version", "4"]),
      ("session", ["--format", "llama-session", "--arch", "llama"], ["--format", "llama-seq"]),
      ("tensors", ["--format", "safetensors", "--heads", "3"], ["--format", "llama-seq"]),
    ]
    for (name, there, back) in conversions {
      try CommandLineTool.run(["export", folder.file(name), "--store", folder.store, "--session", "chat"] + there)
      try CommandLineTool.run(["import", folder.file(name), "--store", folder.store, "--session", name])
      try CommandLineTool.run(
        ["export", folder.file("\(name).back"), "--store", folder.store, "--session", name] + back)
      #expect(try folder.bytes("\(name).back") == Samples.bytes(Samples.long), "\(name)")
    }
  }

  @Test func `an export to standard output is the file and nothing else`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let outcome = try CommandLineTool.run(["export", "-", "--store", folder.store, "--session", "chat"])
    #expect(try Data(outcome.output) == Samples.bytes(Samples.quantized))
    #expect(outcome.error.isEmpty)
  }
}
