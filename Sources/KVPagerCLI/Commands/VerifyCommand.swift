import ArgumentParser
import KVInspection
import KVPager

struct VerifyCommand: ParsableCommand {
  static let schema = AnswerSchema("verify", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check the store, also a damaged one, and repair it.",
    usage: "kvpager verify --store <dir> [--deep] [--repair] [<options>]",
    discussion: """
      Reads LMDB's own structure and every record; with --deep every frame too. Nothing is changed, and \
      other processes may use the store meanwhile. Exit status 1 where anything is wrong.

      --repair looks as deep as it can, asks, and then sets counts, links and listings right, brings back \
      blocks and sessions whose records are lost and whose frames are not, drops blocks that cannot be \
      read with those that hang on them, and deletes what belongs to nothing; then it checks again. A \
      session that lost blocks stays as it is, and so do the blocks that it still holds: storing its \
      tokens again heals it. With --cut-sessions it is cut back to what is whole of it instead.

      EXAMPLES
        kvpager verify --store kv
        kvpager verify --deep --store kv --json
        kvpager verify --repair --store kv
        kvpager verify --repair --cut-sessions --yes --store kv
      """)

  @Flag(help: "Read and decode every frame too.")
  var deep = false

  @Flag(help: "Set right what can be; looks as deep as --deep.")
  var repair = false

  @Flag(help: "With --repair: cut sessions that lost blocks back to what is whole of them.")
  var cutSessions = false

  @Flag(help: "With --repair: do not ask.")
  var yes = false

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard repair else {
      if cutSessions || yes { throw ValidationError("--cut-sessions and --yes belong to --repair.") }
      return
    }
    guard yes || Question.canBeAsked else {
      throw ValidationError("--repair asks first, and there is no terminal to answer at: add --yes.")
    }
  }

  func run() throws {
    let inspector = try store.inspector(givesWay: !repair)
    let report = try Self.verify(inspector, deep: deep || repair)
    guard repair, !report.isSound else {
      try Answer.write(
        Self.schema, json: report.json(repair: nil), text: VerifyText.text(of: report, .output), output)
      if !report.isSound { throw ExitCode(CommandFailure.findingStatus) }
      return
    }
    // For people what was found stands there before anything is done; JSON is one document, told at the end.
    if !output.isJSON { try ByteStream.output.write(VerifyText.text(of: report, .output)) }
    func tellUnrepaired() throws {
      if output.isJSON { try Answer.write(Self.schema, json: report.json(repair: nil), text: "", output) }
    }
    guard report.isUsable else {
      try tellUnrepaired()
      _ = try inspector.repair(report, cutsSessions: cutSessions)
      return
    }
    if !yes {
      let keeps = cutSessions ? "cuts sessions that lost blocks" : "keeps sessions that lost blocks as they are"
      guard Question.isAffirmed("Repair \(Answer.printable(report.path))? This changes the store and \(keeps).") else {
        try tellUnrepaired()
        try ByteStream.error.writeLine("Nothing was changed.")
        throw ExitCode(CommandFailure.findingStatus)
      }
    }
    let done = try inspector.repair(report, cutsSessions: cutSessions)
    if done.didNothing, !output.isJSON {
      try ByteStream.output.write("\n" + RepairText.nothing(report, cutsSessions: cutSessions))
      throw ExitCode(CommandFailure.findingStatus)
    }
    let after = try Self.verify(inspector, deep: true)
    try Answer.write(
      Self.schema, json: after.json(repair: done),
      text: "\n" + RepairText.text(of: done) + "\n" + VerifyText.text(of: after, .output), output)
    if !after.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }

  /// Verifies under a progress line.
  static func verify(_ inspector: StoreInspector, deep: Bool) throws(StoreError) -> VerifyReport {
    let line = ProgressLine("verifying", totalByteCount: 0)
    defer { line.finish() }
    return try inspector.verify(deep: deep) { line.advance(to: $0.doneByteCount, of: $0.totalByteCount) }
  }
}
