import Foundation
import Testing

/// What `kvpager study paging` says, and when it refuses. Without measuring it says the same on every machine.
@Suite struct StudyAnswerTests {
  private static let folder = "\(Repository.root)/data/golden/study"
  private static let few = [
    "study", "paging", "--no-measure", "--distribution", "uniform:200-3000/uniform:50-500", "--requests", "400",
    "--rate", "4", "--seed", "7",
  ]

  private func expect(_ name: String, _ arguments: [String]) throws {
    let answer = try CommandLineTool.run(arguments).text
    let file = "\(Self.folder)/\(name)"
    if ProcessInfo.processInfo.environment["KVPAGER_UPDATE_GOLDEN"] != nil {
      try Data(answer.utf8).write(to: URL(fileURLWithPath: file))
    }
    #expect(try answer == String(contentsOfFile: file, encoding: .utf8), "\(name):\n\(answer)")
  }

  @Test func `a study of a drawn workload, word for word`() throws {
    try expect("few.txt", Self.few)
  }

  @Test func `a table fits a hundred columns`() throws {
    let lines = try CommandLineTool.run(Self.few).text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 100 }, "\(lines.filter { $0.count > 100 })")
  }

  @Test func `in every answer what is used, reserved, wasted and free is all memory`() throws {
    for arguments in [Self.few, Self.few + ["--patience", "0", "--capacity", "1GiB", "--max-length", "4000"]] {
      let answer = try CommandLineTool.run(arguments + ["--json"]).json()
      let capacity = try answer.integer("model", "capacity", "tokens")
      for policy in try answer.list("policies") {
        let sums = try ["used", "reserved", "inside", "free"].map { try policy.integer("rowSteps", $0) }
        #expect(try sums.reduce(0, +) == capacity * policy.integer("rowSteps", "steps"))
        #expect(try policy.integer("requests", "admitted") + policy.integer("requests", "refused") == 400)
      }
    }
  }

  @Test func `a store gives its layout and rows to compress`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let answer = try CommandLineTool.run(
      ["study", "paging", "--store", folder.store, "--requests", "20", "--json"]
    ).json()
    #expect(try answer.integer("layout", "layers") == 30 && answer.text("layout", "elementType") == "q8_0")
    #expect(answer.isNull("measured", "attention"))
    #expect(try answer.text("measured", "attentionRefusal").contains("q8_0"))
    #expect(try answer.text("measured", "codec", "session") == "chat")
    // 48 tokens make blocks of up to 32.
    #expect(
      try answer.list("measured", "codec", "sizes").map { try $0.integer("blockTokens") } == [1, 2, 4, 8, 16, 32])
  }

  @Test func `a page takes its name when it is whole, and replaces another only with force`() throws {
    let folder = try Folder()
    let line = Self.few + ["--html", folder.file("page.html")]
    try CommandLineTool.run(line)
    let first = try folder.bytes("page.html")
    #expect(first.starts(with: Data("<!DOCTYPE html>".utf8)) && first.count < 1 << 20)
    #expect(try CommandLineTool.run(line, expecting: 1).error.contains("add --force to replace it"))
    #expect(try CommandLineTool.run(Self.few + ["--html", "-"]).output == Array(first), "the same page again")
  }

  @Test(arguments: [
    ["--trace", "x", "--seed", "1"], ["--json", "--html", "-"], ["--space", "1"], ["--store", "x", "--layers", "3"],
    ["--token-time", "0"], ["--patience", "-1"], ["--distribution", "fixed:0"], ["--distribution", "normal:3"],
    ["--distribution", "uniform:9-3"], ["--distribution", "lognormal:100"], ["--requests", "0"], ["--rate", "0"],
    ["--capacity", "1"], ["--type", "q8_0"], ["--heads", "3"], ["--query-heads", "31"], ["--max-length", "0"],
    ["--prefill-rate", "0"], ["--layers", "0"], ["--requests", "99999999"],
    ["--distribution", "fixed:9000000", "--requests", "1"],
    // 2^63 bytes.
    [
      "--layers", "4096", "--kv-heads", "4096", "--query-heads", "4096", "--head-size", "4096", "--type", "f32",
      "--distribution", "fixed:8388608", "--requests", "1",
    ],
  ])
  func `what cannot be meant is wrong usage`(arguments: [String]) throws {
    let outcome = try CommandLineTool.run(["study", "paging", "--no-measure"] + arguments, expecting: 2)
    #expect(outcome.output.isEmpty && outcome.error.contains("kvpager: "))
  }

  @Test(arguments: [["--max-length", "0"], ["--prefill-rate", "0"], ["--capacity", "1"]])
  func `what cannot be meant is refused before the workload is read and anything is measured`(arguments: [String])
    throws
  {
    let outcome = try CommandLineTool.run(
      ["study", "paging", "--trace", "/nowhere/x.jsonl"] + arguments, expecting: 2)
    #expect(!outcome.error.contains("/nowhere"), "\(outcome.error)")
  }

  @Test func `rows that no store takes are refused before anything is measured`() throws {
    let rows = ["--kv-heads", "4096", "--query-heads", "4096", "--head-size", "4096", "--type", "f32"]
    let outcome = try CommandLineTool.run(["study", "paging", "--requests", "1"] + rows, expecting: 2)
    #expect(outcome.error.contains("67108864 bytes") && outcome.error.contains("--no-measure"), "\(outcome.error)")
    try CommandLineTool.run(["study", "paging", "--no-measure", "--requests", "1"] + rows)
  }

  @Test func `heads that no row has are refused, however many`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    for count in ["3", "4611686018427387905", "9223372036854775807"] {
      let outcome = try CommandLineTool.run(
        ["study", "paging", "--no-measure", "--store", folder.store, "--head-size", "2", "--kv-heads", count],
        expecting: 2)
      #expect(outcome.error.contains("give --head-size or --kv-heads that fit"), "\(outcome.error)")
    }
  }

  @Test func `a trace that is not there, and one without zstd, are refused with the remedy`() throws {
    let missing = try CommandLineTool.run(["study", "paging", "--trace", "/nowhere/x.jsonl"], expecting: 1)
    #expect(missing.error.contains("cannot open /nowhere/x.jsonl"))
    let trace = "\(Repository.root)/data/traces/azure2023_conv.csv.zst"
    let without = try CommandLineTool.run(
      ["study", "paging", "--trace", trace], environment: ["PATH": "/nowhere"], expecting: 1)
    #expect(without.error.contains("install it"), "\(without.error)")
  }
}
