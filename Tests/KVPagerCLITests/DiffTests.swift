import Foundation
import Testing

struct DiffTests {
  @Test func `two sessions part where they do, in words and in JSON`() throws {
    let folder = try GoldenAnswer.store()
    let pair = ["diff", "support/ben", "support/anna, second try"]
    try GoldenAnswer.expect("diff-sessions.txt", pair, status: 1, in: folder)
    try GoldenAnswer.expect("diff-sessions.json", pair + ["--json"], status: 1, in: folder)
    try GoldenAnswer.expect("diff-same.txt", ["diff", "notes", "::notes"], in: folder)
    try GoldenAnswer.expect(
      "diff-spaces.txt", ["diff", "support/anna", "support/anna", "--space", "1", "--space", "3"], status: 1, in: folder
    )
  }

  @Test func `two stores differ by spaces, sessions and blocks`() throws {
    let folder = try GoldenAnswer.store()
    let other = folder.file("other")
    try FileManager.default.copyItem(atPath: folder.store, toPath: other)
    try GoldenAnswer.expect("diff-equal-stores.txt", ["diff", "store", "other", "--deep"], in: folder)
    try CommandLineTool.run(["delete", "draft", "--store", other])
    try CommandLineTool.run(["fork", "notes", "--as", "more notes", "--tokens", "70", "--store", other])
    try CommandLineTool.run(["delete", "support/cleo", "--store", other])
    try CommandLineTool.run(["fork", "support/ben", "--as", "support/cleo", "--store", other])
    try CommandLineTool.run(["gc", "--quota", "1", "--store", other])
    try GoldenAnswer.expect("diff-stores.txt", ["diff", "store", "other", "--deep"], status: 1, in: folder)
    try GoldenAnswer.expect("diff-stores.json", ["diff", "store", "other", "--json"], status: 1, in: folder)
    // Whose is A and whose is B is what was asked; one store may be both.
    let turned = try CommandLineTool.run(["diff", other, folder.store, "--json"], expecting: 1).json()
    #expect(try turned.list("sessions", "onlyInA").map { try $0.text("name") } == ["more notes"])
    try CommandLineTool.run(["diff", folder.store, "\(folder.store)/."])
  }

  /// Real rows: one prompt, computed with flash attention and without, and with quantised keys and values.
  @Test func `equal tokens with other rows tell where, how many, and how far apart`() throws {
    let folder = try Folder()
    try folder.importSample("smollm2-135m_48tok_f16_fa.v3.ggsq", as: "flash", "--block-tokens", "16")
    try folder.importSample("smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq", as: "plain", "--block-tokens", "20")
    try folder.importSample(Samples.quantized, as: "quantized")
    try GoldenAnswer.expect("diff-rows.txt", ["diff", "flash", "plain"], status: 1, in: folder)
    try GoldenAnswer.expect("diff-rows.json", ["diff", "flash", "plain", "--json"], status: 1, in: folder)
    let answer = try CommandLineTool.run(
      ["diff", "flash", "quantized", "--json", "--store", folder.store], expecting: 1
    ).json()
    #expect(try answer.integer("tokens", "common") == 48)
    #expect(answer.isNull("tokens", "first"))
    #expect(try answer.integer("rows", "incomparablePlanes") == 0)
    let planes = try answer.list("rows", "planes")
    #expect(planes.count == 60)
    #expect(planes.allSatisfy { $0.isNull("bytes") })
    #expect(try planes.allSatisfy { try $0.integer("rows") == 48 })
  }

  @Test func `what cannot be compared is wrong usage`() throws {
    let folder = try GoldenAnswer.store()
    func refuse(_ arguments: [String], saying word: String, at location: SourceLocation = #_sourceLocation) throws {
      let outcome = try CommandLineTool.run(["diff"] + arguments, expecting: 2, location)
      #expect(outcome.error.contains(word), "\(outcome.error)", sourceLocation: location)
    }
    try refuse([folder.store, "notes", "--store", folder.store], saying: "two of one kind")
    try refuse(["notes", folder.store, "--store", folder.store], saying: "two of one kind")
    try refuse(["notes", "draft"], saying: "DIR::NAME")
    try refuse(["notes"], saying: "<b>")
    try refuse(["support/anna", "notes", "--store", folder.store], saying: "--space")
    try refuse([folder.store, folder.store, "--space", "1"], saying: "--space goes with sessions")
    let missing = try CommandLineTool.run(["diff", "notes", "nobody", "--store", folder.store], expecting: 1)
    #expect(missing.error.contains("nobody"))
    let nowhere = try CommandLineTool.run(["diff", "\(folder.store)::notes", "/nowhere::x"], expecting: 1)
    #expect(nowhere.error.contains("/nowhere"))
  }
}
