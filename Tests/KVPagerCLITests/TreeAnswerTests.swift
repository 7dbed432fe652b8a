import Foundation
import Testing

@Suite struct TreeAnswerTests {
  @Test(arguments: [
    ("tree.txt", ["tree"]), ("tree.json", ["tree", "--json"]),
    ("tree-narrow.txt", ["tree", "--depth", "2", "--width", "1"]),
    ("tree-session.txt", ["tree", "--session", "support/anna", "--space", "1"]),
    ("tree-session.json", ["tree", "--session", "support/ben", "--json"]),
    ("tree-space.txt", ["tree", "--space", "2"]),
  ])
  func `tree draws who shares which beginning`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test func `where the locale is UTF-8 the tree has lines`() throws {
    let folder = try GoldenAnswer.store()
    let line = "cd '\(folder.path)' && TZ=UTC LC_ALL=C.UTF-8 \"$KVPAGER\" tree --store store"
    let text = try CommandLineTool.shell(line).text
    let plain = try CommandLineTool.shell(line.replacing("C.UTF-8", with: "C")).text
    #expect(text.contains("│  └─ ") && text.contains("├─ ") && text.contains(" ×4"))
    #expect(
      text.replacing("├", with: "|").replacing("│", with: "|").replacing("└", with: "`").replacing("─", with: "-")
        .replacing("×", with: "x") == plain)
  }

  @Test func `what is not there is not found, and the message says where to look`() throws {
    let folder = try GoldenAnswer.store()
    let space = try CommandLineTool.run(["tree", "--store", folder.store, "--space", "9"], expecting: 1)
    #expect(space.error.contains("there is no space 9") && space.error.contains("kvpager info"))
    let session = try CommandLineTool.run(["tree", "--store", folder.store, "--session", "nobody"], expecting: 1)
    #expect(session.error.contains("kvpager sessions"))
    let ambiguous = ["tree", "--store", folder.store, "--session", "support/anna"]
    #expect(try CommandLineTool.run(ambiguous, expecting: 2).error.contains("spaces 1, 3"))
    try CommandLineTool.run(["tree", "--store", folder.store, "--depth", "0"], expecting: 2)
    try CommandLineTool.run(["tree", "--store", folder.store, "--width", "0"], expecting: 2)
  }
}
