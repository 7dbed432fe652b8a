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
    let report = try Self.verify(store.inspector(), deep: deep)
    try Answer.write(Self.schema, json: report.json, text: VerifyText.text(of: report, .output), output)
    if !report.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }

  /// Verifies under a progress line.
  static func verify(_ inspector: StoreInspector, deep: Bool) throws(StoreError) -> VerifyReport {
    let line = ProgressLine("verifying", totalByteCount: 0)
    defer { line.finish() }
    return try inspector.verify(deep: deep) { line.advance(to: $0.doneByteCount, of: $0.totalByteCount) }
  }
}
