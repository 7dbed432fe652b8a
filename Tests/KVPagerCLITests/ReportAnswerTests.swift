import Foundation
import Testing

/// What `kvpager report` writes, where, and when it refuses.
@Suite struct ReportAnswerTests {
  @Test func `the page of the golden store`() throws {
    try GoldenAnswer.expect("report.html", ["report", "--html", "-"])
  }

  @Test func `the facts of the golden store`() throws {
    try GoldenAnswer.expect("report.json", ["report", "--json", "--sessions", "4", "--depth", "2"])
  }

  @Test func `a page takes its name when it is whole, and replaces another only with force`() throws {
    let folder = try GoldenAnswer.store()
    let page = folder.file("page.html")
    let line = ["report", "--html", page, "--store", folder.store]
    #expect(try CommandLineTool.run(line).text.hasPrefix("wrote "))
    let first = try folder.bytes("page.html")
    #expect(first.starts(with: Data("<!DOCTYPE html>".utf8)) && first.count < 1 << 20)
    #expect(try CommandLineTool.run(line, expecting: 1).error.contains("add --force to replace it"))
    #expect(try folder.bytes("page.html") == first)
    let json = try CommandLineTool.run(line + ["--force", "--json"]).json()
    #expect(try json.text("schema") == "kvpager/report/1")
    #expect(try folder.names == ["page.html", "store"])
  }

  @Test func `nothing is replaced and nothing is left where there is no store`() throws {
    let folder = try Folder()
    try folder.write(Data("mine".utf8), to: "page.html")
    try CommandLineTool.run(
      ["report", "--html", folder.file("page.html"), "--force", "--store", folder.store], expecting: 1)
    #expect(try folder.bytes("page.html") == Data("mine".utf8))
    #expect(try folder.names == ["page.html"])
  }

  @Test(arguments: [
    [], ["--html", "-", "--json"], ["--json", "--depth", "0"], ["--json", "--depth", "65"],
    ["--json", "--sessions", "-1"], ["--json", "--sessions", "2001"],
  ])
  func `what cannot be meant is wrong usage`(arguments: [String]) throws {
    let folder = try GoldenAnswer.store()
    #expect(try CommandLineTool.run(["report", "--store", folder.store] + arguments, expecting: 2).output.isEmpty)
  }

  @Test func `a damaged store has its page and exit status 1`() throws {
    let folder = try GoldenAnswer.store()
    var data = try folder.bytes("store/data.mdb")
    data.removeLast(data.count / 3 / 4096 * 4096)
    try folder.write(data, to: "store/data.mdb")
    let outcome = try CommandLineTool.run(["report", "--html", "-", "--store", folder.store], expecting: 1)
    #expect(outcome.text.contains("The store does not open") && outcome.text.hasSuffix("</html>\n"))
    #expect(outcome.error.contains("damaged"))
  }
}
