import Foundation
import Testing

struct VerifyAnswerTests {
  /// A copy of the golden store with a few bytes changed, always the same.
  private func damaged(_ change: (inout Data) throws -> Void) throws -> Folder {
    let folder = try GoldenAnswer.store()
    var bytes = try folder.bytes("store/data.mdb")
    try change(&bytes)
    try folder.write(bytes, to: "store/data.mdb")
    return folder
  }

  private func extentPages(_ bytes: Data) -> [Int] {
    stride(from: 0, to: bytes.count, by: 4096).filter { bytes[$0 + 16..<$0 + 20] == Data("KVEX".utf8) }
  }

  /// Two frames with a bad byte: one of a prefix that many share, one of a session's own end.
  private func withBadFrames() throws -> Folder {
    try damaged { bytes in
      let pages = extentPages(bytes)
      bytes[pages[3] + 700] ^= 1
      bytes[pages[9] + 900] ^= 1
    }
  }

  /// Records in leaves: the listing of a session, and a block's tokens. Pages that are free now may hold them too.
  private func withBadRecords() throws -> Folder {
    try damaged { bytes in
      let block = try #require(Self.bytes(ofHexadecimal: "c7dcd7ec2b18"))
      for leaf in stride(from: 8192, to: bytes.count, by: 4096) where bytes[leaf + 10] == 2 && bytes[leaf + 11] == 0 {
        let page = leaf..<leaf + 4096
        if let found = bytes[page].range(of: Data("KVSESSN1".utf8)) { bytes[found.lowerBound - 50] ^= 4 }
        // A key of `blocks` ends with the hash, and its record follows: version 1.
        guard let found = bytes[page].range(of: block),
          bytes[found.lowerBound + 32..<found.lowerBound + 34] == Data([1, 0])
        else { continue }
        bytes[found.lowerBound + 32 + 95] ^= 4
      }
    }
  }

  private static func bytes(ofHexadecimal text: String) -> Data? {
    var bytes = Data()
    var rest = text[...]
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes
  }

  @Test(arguments: [
    ("verify.txt", ["verify"]), ("verify.json", ["verify", "--json"]), ("verify-deep.txt", ["verify", "--deep"]),
    ("verify-repair-sound.txt", ["verify", "--repair", "--yes"]),
  ])
  func `a sound store verifies as it always did`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test(
    arguments: [
      ("verify-frames.txt", ["verify", "--deep"], 1), ("verify-frames.json", ["verify", "--deep", "--json"], 1),
      ("verify-frames-shallow.txt", ["verify"], 0),
      ("verify-frames-repair.txt", ["verify", "--repair", "--yes"], 1),
      ("verify-frames-cut.txt", ["verify", "--repair", "--cut-sessions", "--yes"], 0),
      ("verify-frames-cut.json", ["verify", "--repair", "--cut-sessions", "--yes", "--json"], 0),
    ] as [(String, [String], Int32)])
  func `damaged frames are told with their sessions and what helps`(
    name: String, arguments: [String], status: Int32
  ) throws {
    try GoldenAnswer.expect(name, arguments, status: status, in: try withBadFrames())
  }

  @Test(
    arguments: [
      ("verify-records.txt", ["verify"], 1), ("verify-records.json", ["verify", "--json"], 1),
      ("verify-records-repair.txt", ["verify", "--repair", "--yes"], 0),
    ] as [(String, [String], Int32)])
  func `damaged records are told, and come back from their frames`(
    name: String, arguments: [String], status: Int32
  ) throws {
    try GoldenAnswer.expect(name, arguments, status: status, in: try withBadRecords())
  }

  @Test(arguments: [
    ("verify-short.txt", ["verify"]), ("verify-short.json", ["verify", "--json"]),
    ("verify-short-repair.txt", ["verify", "--repair", "--yes"]),
    ("verify-short-repair.json", ["verify", "--repair", "--yes", "--json"]),
  ])
  func `a file cut off is left to salvage`(name: String, arguments: [String]) throws {
    let folder = try damaged { $0.removeLast($0.count / 4) }
    try GoldenAnswer.expect(name, arguments, status: 1, in: folder)
  }

  @Test func `damaged records are a finding of info, too`() throws {
    let folder = try withBadRecords()
    let info = try CommandLineTool.run(["info", "--json", "--store", folder.store], expecting: 1)
    #expect(try !info.json().flag("health", "sound") && info.error.isEmpty)
    #expect(try CommandLineTool.run(["info", "--store", folder.store], expecting: 1).text.contains("damaged"))
  }

  @Test(arguments: [true, false])
  func `a repair that is declined answers all the same`(isJSON: Bool) throws {
    let folder = try withBadFrames()
    let before = try folder.bytes("store/data.mdb")
    let terminal = try #require(PseudoTerminal(columns: 80, rows: 24))
    try folder.write(Data(), to: "out")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLineTool.path)
    process.arguments = ["verify", "--repair", "--store", folder.store] + (isJSON ? ["--json"] : [])
    process.standardInput = terminal.slave
    process.standardError = terminal.slave
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("out")))
    try process.run()
    #expect(terminal.read { terminal.text.contains("[y/N]") })
    terminal.press("n\n")
    #expect(terminal.read { !process.isRunning })
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    let text = String(decoding: try folder.bytes("out"), as: UTF8.self)
    #expect(isJSON ? text.contains("\"repair\": null") : text.contains("DAMAGE"), "\(text)")
    #expect(text.contains("DAMAGE") != isJSON)
    #expect(try folder.bytes("store/data.mdb") == before)
  }

  @Test func `a repair without a terminal wants --yes, and options of a repair want it`() throws {
    let folder = try withBadFrames()
    let before = try folder.bytes("store/data.mdb")
    for arguments in [["--repair"], ["--yes"], ["--cut-sessions"], ["--deep", "--repair"]] {
      let outcome = try CommandLineTool.run(["verify", "--store", folder.store] + arguments, expecting: 2)
      #expect(outcome.error.contains("--yes"), "\(outcome.error)")
    }
    #expect(try folder.bytes("store/data.mdb") == before)
  }

  @Test func `what a repair leaves can be forked, exported and healed by an import`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat", "--block-tokens", "64")
    var bytes = try folder.bytes("store/data.mdb")
    let pages = extentPages(bytes)
    bytes[pages[pages.count / 2] + 100] ^= 1
    try folder.write(bytes, to: "store/data.mdb")
    let report = try CommandLineTool.run(
      ["verify", "--repair", "--yes", "--store", folder.store, "--json"], expecting: 1
    ).json()
    let session = try #require(report.list("findings").first { try $0.text("kind") == "missingBlock" })
    #expect(try session.text("session") == "chat")
    let count = try session.integer("wholeTokens")
    // The remedy that it names works.
    try CommandLineTool.run(["fork", "chat", "--as", "half", "--tokens", "\(count)", "--store", folder.store])
    try CommandLineTool.run([
      "import", Samples.path(Samples.long), "--session", "again", "--block-tokens", "64", "--store", folder.store,
    ])
    try CommandLineTool.run(["verify", "--deep", "--store", folder.store])
    try CommandLineTool.run(["export", folder.file("out"), "--session", "chat", "--store", folder.store])
    #expect(try folder.bytes("out") == Samples.bytes(Samples.long))
  }
}
