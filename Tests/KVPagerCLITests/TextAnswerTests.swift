import Foundation
import Testing

@Suite struct TextAnswerTests {
  private static func store() throws -> Folder {
    let folder = try GoldenAnswer.store()
    try TinyVocabulary.write(to: folder.file("tiny.gguf"))
    return folder
  }

  @Test(arguments: [
    ("tree-text.txt", ["tree", "--gguf", "tiny.gguf"]),
    ("tree-text.json", ["tree", "--gguf", "tiny.gguf", "--space", "3", "--json"]),
    ("block-text.txt", ["block", "577197a6", "--gguf", "tiny.gguf", "--plane", "0"]),
  ])
  func `a vocabulary tells what tokens say`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments, in: try Self.store())
  }

  @Test func `text never controls the terminal, and JSON has it whole`() throws {
    let folder = try Self.store()
    let block = ["block", "577197a6", "--gguf", folder.file("tiny.gguf"), "--store", folder.store]
    let text = try CommandLineTool.run(block).text
    #expect(!text.contains("\u{1B}") && !text.unicodeScalars.contains("\u{202E}"))
    #expect(text.contains("\\n\\u{1B}[31mred\\u{202E}"))
    let json = try CommandLineTool.run(block + ["--json"]).json()
    #expect(try json.text("text").hasPrefix(" 148 149\n\u{1B}[31mred\u{202E} 152"))
  }

  @Test func `a session's text fills lines and is cut`() throws {
    let folder = try Self.store()
    let session = [
      "session", "support/anna", "--space", "1", "--gguf", folder.file("tiny.gguf"), "--store", folder.store,
    ]
    let text = try CommandLineTool.run(session).text
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let first = try #require(lines.firstIndex(of: "TEXT")) + 1
    let words = lines[first...].prefix { !$0.isEmpty }
    #expect(words.count > 3 && words.allSatisfy { $0.count <= 80 })
    #expect(words.first?.hasPrefix("\" 100 101 102") == true && words.last?.hasSuffix("239\"") == true)
    let json = try CommandLineTool.run(session + ["--json"]).json()
    #expect(try json.text("text").hasSuffix(" 238 239"))
  }

  @Test func `sessions' own words stand in for a vocabulary`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "said", "--metadata", "text=Once upon a time")
    let chat = #"{"version":1,"model":"x","modelPath":"/m","messages":[["system","be kind"],["user","Where is it?"]],"#
    try folder.importSample(
      Samples.long, as: "asked", "--metadata", "chat=\(chat)\"ahead\":[1],\"answerFrom\":null,\"speed\":[3,0.5]}")
    let tree = try CommandLineTool.run(["tree", "--text", "--store", folder.store]).text
    #expect(tree.contains("said  \"Once upon a time\"") && tree.contains("asked  \"Where is it?\""))
    let session = ["session", "asked", "--text", "--store", folder.store]
    #expect(try CommandLineTool.run(session).text.contains("TEXT\n\"Where is it?\"\n"))
    #expect(try CommandLineTool.run(session + ["--json"]).json().text("text") == "Where is it?")
    let plain = try CommandLineTool.run(["tree", "--store", folder.store]).text
    #expect(!plain.contains("Once upon") && !plain.contains("Where is it"))
    let blocks = try CommandLineTool.run(["blocks", "--session", "asked", "--store", folder.store, "--json"]).json()
    let hash = try #require(try blocks.list("blocks").first).text("hash")
    let block = try CommandLineTool.run(["block", hash, "--text", "--store", folder.store]).text
    #expect(block.contains("\"Where is it?\""))
  }

  @Test func `a file without a tokenizer is refused in words`() throws {
    let folder = try Self.store()
    try folder.write(Data("GGUF and nothing that follows it".utf8), to: "bad.gguf")
    for command in [["tree"], ["block", "577197a6"]] {
      let refusal = try CommandLineTool.run(
        command + ["--gguf", folder.file("bad.gguf"), "--store", folder.store], expecting: 1)
      #expect(refusal.error.contains("bad.gguf at byte") && refusal.output.isEmpty)
      let absent = try CommandLineTool.run(
        command + ["--gguf", folder.file("none.gguf"), "--store", folder.store], expecting: 1)
      #expect(absent.error.contains("none.gguf"))
    }
  }
}
