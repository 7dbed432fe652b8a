import Foundation
import Testing

@Suite struct BlockAnswerTests {
  @Test(arguments: [
    ("blocks.txt", ["blocks"]), ("blocks-top.json", ["blocks", "--top", "3", "--json"]),
    ("blocks-unreferenced.txt", ["blocks", "--unreferenced", "--sort", "age"]),
    ("blocks-shared.txt", ["blocks", "--shared", "2", "--sort", "sharing", "--space", "1"]),
    ("blocks-session.txt", ["blocks", "--session", "support/ben", "--sort", "age", "--reverse"]),
    ("blocks-prefix.json", ["blocks", "577197", "--all", "--json"]),
    ("blocks-none.txt", ["blocks", "--min-size", "1MiB"]), ("blocks-none.json", ["blocks", "0000", "--json"]),
  ])
  func `blocks lists what fills the store`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test(arguments: [
    ("block.txt", ["block", "577197a6"]), ("block-tail.txt", ["block", "d9841d72"]),
    ("block-quantised.txt", ["block", "402ea086", "--plane", "1.keys"]),
    ("block-plane.json", ["block", "2e06a3f8", "--plane", "0", "--plane", "3.values", "--json"]),
    ("block.json", ["block", "402ea086", "--json"]),
    ("block-rows.txt", ["block", "402ea086", "--dump", "0.values", "--format", "text"]),
  ])
  func `block tells of one block what there is to tell`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test func `rows are written to a file that is replaced only when that is wanted`() throws {
    let folder = try GoldenAnswer.store()
    let line = ["block", "577197a6", "--store", folder.store, "--dump", "0.keys", "--output", folder.file("keys.npy")]
    #expect(try CommandLineTool.run(line).text.contains("16 tokens x 64 values, float32 (bf16 widened, exactly)"))
    let file = Array(try folder.bytes("keys.npy"))
    #expect(Array(file.prefix(6)) == [0x93] + Array("NUMPY".utf8) && file.count == 128 + 16 * 64 * 4)
    #expect(try CommandLineTool.run(line, expecting: 1).error.contains("--force"))
    let facts = try CommandLineTool.run(line + ["--force", "--format", "raw", "--json"]).json()
    #expect(try facts.integer("tokens") == 16 && facts.text("writtenType") == "bf16")
    let raw = Array(try folder.bytes("keys.npy"))
    // Brain floats are the upper halves of the floats.
    #expect(raw.count == 16 * 64 * 2)
    #expect(
      (0..<1024).allSatisfy { Array(file[128 + 4 * $0 + 2..<128 + 4 * $0 + 4]) == Array(raw[2 * $0..<2 * $0 + 2]) })
    let piped = try CommandLineTool.run(Array(line.dropLast(2)) + ["--format", "raw"])
    #expect(piped.output == raw && piped.error.contains("bf16 as it is"))
  }

  @Test func `NumPy reads what is written for it`() throws {
    let numpy = "python3 -c 'import numpy'"
    guard try CommandLineTool.shell(numpy, expecting: nil).status == 0 else { return }
    let folder = try GoldenAnswer.store()
    for (block, plane, type) in [
      ("577197a6", "1.keys", "float32"), ("2e06a3f8", "1.keys", "float16"), ("402ea086", "0.values", "float32"),
    ] {
      let facts = try CommandLineTool.run(["block", block, "--store", folder.store, "--plane", plane, "--json"]).json()
      let numbers = try #require(try facts.list("planes").first?.members["numbers"] as? [String: Any])
      let python = """
        import numpy, sys
        a = numpy.load(sys.stdin.buffer if False else sys.argv[1]); b = a.astype(numpy.float64)
        print(a.dtype, b.size, b.min(), b.max(), b.mean(), b.std())
        """
      try CommandLineTool.run(
        ["block", block, "--store", folder.store, "--dump", plane, "--output", folder.file("rows.npy"), "--force"])
      let said = try CommandLineTool.shell("python3 -c '\(python)' '\(folder.file("rows.npy"))'").text
      let words = said.split(whereSeparator: \.isWhitespace).map(String.init)
      #expect(words.first == type && words.count == 6)
      #expect(words.dropFirst().first == (numbers["values"] as? Int).map(String.init))
      for (word, name) in zip(words.dropFirst(2), ["minimum", "maximum", "mean", "standardDeviation"]) {
        let (theirs, ours) = (try #require(Double(word)), try #require(numbers[name] as? Double))
        #expect(abs(theirs - ours) < 1e-6, "\(plane) \(name)")
      }
    }
  }

  @Test func `wrong usage says what is right`() throws {
    let folder = try GoldenAnswer.store()
    func refusal(_ arguments: [String], _ status: Int32 = 2) throws -> String {
      try CommandLineTool.run(arguments + ["--store", folder.store], expecting: status).error
    }
    #expect(try refusal(["block", "577"]).contains("4 digits"))
    #expect(try refusal(["block", "xyz1"]).contains("xyz1"))
    #expect(try refusal(["block", "00001111"], 1).contains("kvpager blocks"))
    #expect(try refusal(["block", "5771", "--plane", "9.keys"], 1).contains("layers 0 to 3"))
    #expect(try refusal(["block", "5771", "--output", "x"]).contains("--dump"))
    #expect(try refusal(["block", "5771", "--dump", "0", "--json"]).contains("--output"))
    #expect(try refusal(["block", "5771", "--gguf", "/dev/null"]).contains("/dev/null"))
    #expect(try refusal(["blocks", "--unreferenced", "--shared", "2"]).contains("choose one"))
  }

  @Test func `a damaged frame is shown as far as it goes, and found`() throws {
    let folder = try GoldenAnswer.store()
    let path = "\(folder.store)/data.mdb"
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    // The frame says the block's hash at offset 32, behind the extent's header.
    let hash: [UInt8] = [0x57, 0x71, 0x97, 0xa6, 0xd1, 0x27]
    let place = try #require(
      bytes.indices.dropLast(6).first { at in
        at % 4096 == 64 && Array(bytes[at..<at + 6]) == hash
      })
    bytes[place + 2000] ^= 0x04
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try GoldenAnswer.expect("block-damaged.txt", ["block", "577197a6"], status: 1, in: folder)
    try GoldenAnswer.expect("block-damaged.json", ["block", "577197a6", "--json"], status: 1, in: folder)
  }
}
