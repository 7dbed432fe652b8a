import ArgumentParser
import KVInspection
import KVPager

struct VerifyCommand: ParsableCommand {
  static let schema = AnswerSchema("verify", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check the store, also a damaged one.",
    usage: "kvpager verify --store <dir> [--deep] [<options>]",
    discussion: """
      Reads LMDB's own structure and every record; with --deep every frame too. Nothing is changed, and \
      other processes may use the store meanwhile. Exit status 1 where anything is wrong.

      EXAMPLES
        kvpager verify --store kv
        kvpager verify --deep --store kv --json
      """)

  @Flag(help: "Read and decode every frame too.")
  var deep = false

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let report = try store.inspector().verify(deep: deep)
    try Answer.write(Self.schema, json: report.json, text: Self.text(report), output)
    if !report.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }

  private static func text(_ report: VerifyReport) -> String {
    guard !report.isSound else {
      return "\(Answer.printable(report.path)) is sound: "
        + (report.isDeep ? "every page, record and frame was checked\n" : "every tree page and record was checked\n")
    }
    var text = report.findings.map { "\($0.kind): \(Answer.printable($0.description))\n" }.joined()
    text += "\(Answer.count(report.findings.count, "finding")). "
    guard let raw = report.salvageable else {
      return text + "The store opens; what is not named above is whole.\n"
    }
    text += "The store does not open. Its bytes still hold \(Answer.count(raw.blocks.wholeCount, "whole block")) and "
    text += "\(Answer.count(raw.wholeSessionCount, "whole session")); "
    return text + "keep the file as it is, and bring the store back from a copy.\n"
  }
}
