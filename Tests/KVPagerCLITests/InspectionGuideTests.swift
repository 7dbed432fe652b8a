import Foundation
import Testing

/// The answers in the guide InspectAStore are what the command says, line for line.
///
/// KVPAGER_UPDATE_GOLDEN=1 writes them anew; look at the difference before you keep them.
struct InspectionGuideTests {
  private static let path = "\(Repository.root)/Sources/KVPager/KVPager.docc/InspectAStore.md"

  @Test func `every answer in the guide is the command's own`() throws {
    let folder = try GoldenAnswer.store()
    try FileManager.default.moveItem(atPath: folder.store, toPath: folder.file("kv"))
    let text = try String(contentsOfFile: Self.path, encoding: .utf8)
    var (written, isInBlock, commandCount) = ([String](), false, 0)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```" {
        isInBlock.toggle()
      } else if isInBlock, line.hasPrefix("$ ") {
        written.append(String(line))
        let command = line.dropFirst(2).replacing(/^kvpager/, with: "\"$KVPAGER\"")
        let outcome = try CommandLineTool.shell(
          "cd '\(folder.path)' && export TZ=UTC LC_ALL=C.UTF-8 KVPAGER_NOW=1795500000; \(command)", expecting: nil)
        #expect(outcome.error.isEmpty, "\(line): \(outcome.error)")
        written += outcome.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        commandCount += 1
        continue
      } else if isInBlock {
        continue
      }
      written.append(String(line))
    }
    #expect(commandCount > 8)
    let wanted = written.joined(separator: "\n")
    if ProcessInfo.processInfo.environment["KVPAGER_UPDATE_GOLDEN"] != nil {
      try Data(wanted.utf8).write(to: URL(fileURLWithPath: Self.path))
      return
    }
    let (told, answered) = (text.split(separator: "\n"), wanted.split(separator: "\n"))
    if let (line, answer) = zip(told, answered).first(where: { $0 != $1 }) {
      Issue.record("the guide says\n\(line)\nand the command\n\(answer)")
    }
    #expect(told.count == answered.count)
  }
}
