import ArgumentParser
import KVInspection
import KVPager

struct SalvageCommand: ParsableCommand {
  static let schema = AnswerSchema("salvage", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "salvage",
    abstract: "Rebuild a store from the raw bytes of a damaged one.",
    usage: """
      kvpager salvage <damaged> <new> [<options>]
      kvpager salvage <damaged> --list [<options>]
      """,
    discussion: """
      For a store that does not open any more: blocks and sessions are found by their own marks and checksums, \
      whatever became of the file around them, and written into a new store, byte for byte as they were. \
      The damaged file is only read. Exit status 1 where something did not come back.

      A session comes back as it was last committed; where that commit lost blocks, as an older one that is \
      whole left it; with --partial, up to the first block that is lost. Where LMDB's own table of sessions \
      cannot be read, sessions that were deleted may come back too.

      EXAMPLES
        kvpager salvage kv --list
        kvpager salvage kv rescued
        kvpager salvage /mnt/backup/data.mdb rescued --name 'support/*' --partial
      """)

  @Argument(help: "The damaged store: its folder, or a data.mdb by any name.", completion: .file())
  var damaged: String

  @Argument(help: "The new store's folder; it must not exist, or be empty.", completion: .directory)
  var new: String?

  @Flag(help: "Only tell what would come back.")
  var list = false

  @Option(
    help: ArgumentHelp(
      "Only sessions named like this (*, ?, [a-z] as a shell has them), with the blocks that they hold.",
      valueName: "pattern"))
  var name: String?

  @Flag(help: "Of sessions that lost blocks, bring back what comes before the first lost one.")
  var partial = false

  @Flag(help: "Leave out cached blocks that no session holds.")
  var sessionsOnly = false

  @OptionGroup var output: OutputOptions

  mutating func validate() throws {
    if list == (new != nil) {
      throw ValidationError(
        list
          ? "--list makes no store: leave out \(new ?? "")." : "No new store is named: give its folder, or --list.")
    }
    if let new, new.isEmpty { throw ValidationError("The new store's folder is empty text.") }
  }

  func run() throws {
    var options = SalvageOptions(isPartial: partial, isSessionsOnly: sessionsOnly)
    if let name {
      let pattern = NamePattern(name)
      options.isWanted = { pattern.matches($0) }
    }
    let salvager = StoreSalvager(path: damaged)
    let progress = SalvageProgressLine()
    let report: SalvageReport
    if let new {
      report = try salvager.rebuild(at: new, options) { progress.show($0) }
    } else {
      report = try salvager.list(options) { progress.show($0) }
    }
    progress.finish()
    if let name, report.sessions.isEmpty {
      throw StoreError(.notFound, "no session like \"\(name)\" is found in \(damaged); `--list` tells which are")
    }
    let answer = SalvageAnswer(report: report, damaged: damaged, new: new)
    try Answer.write(Self.schema, json: answer.json, text: answer.text, output)
    if report.hasLosses { throw ExitCode(CommandFailure.findingStatus) }
  }
}

/// The phases of a salvage, one line after the other in the same place.
final class SalvageProgressLine {
  private var phase: SalvageProgress.Phase?
  private var line: ProgressLine?

  func show(_ progress: SalvageProgress) {
    if phase != progress.phase {
      finish()
      phase = progress.phase
      let verb =
        switch progress.phase {
        case .searching: "searching"
        case .checking: "checking"
        case .writing: "writing"
        }
      line = ProgressLine(verb, totalByteCount: Int(clamping: progress.totalByteCount))
    }
    line?.advance(to: Int(clamping: progress.doneByteCount))
  }

  func finish() {
    line?.finish()
    line = nil
  }
}

/// What a salvage says.
struct SalvageAnswer {
  let report: SalvageReport
  let damaged: String
  /// Nil: it was only asked what would come back.
  let new: String?

  var json: JSONValue {
    guard case .object(var members) = report.json else { return report.json }
    members["path"] = .string(damaged)
    members["new"] = JSONValue(new)
    members["written"] = .bool(report.isWritten)
    return .object(members)
  }

  var text: String {
    sessions + spaces + outcome
  }

  /// All of them where only a list was asked for, else those that are not what they were.
  private var sessions: String {
    let shown = report.sessions.filter { new == nil || $0.fate != .whole }
    guard !shown.isEmpty else { return "" }
    var table = TextTable([
      ("NAME", .left), ("SPACE", .right), ("TOKENS", .right), ("BACK", .right), ("UPDATED", .left), ("STATE", .left),
    ])
    for session in shown {
      let state =
        switch session.fate {
        case .whole: Ink.output.good("whole")
        case .older: Ink.output.caution("older") + ": \(session.reason)"
        case .partial: Ink.output.caution("cut") + ": \(session.reason)"
        case .lost: Ink.output.bad("lost") + ": \(session.reason)"
        }
      table.append([
        Ink.output.name(Answer.printable(session.name)), session.space.description, String(session.tokenCount),
        String(session.salvagedTokenCount),
        session.updatedMicroseconds == 0 ? "-" : Timestamp(microseconds: session.updatedMicroseconds).local, state,
      ])
    }
    return table.text + "\n"
  }

  private var spaces: String {
    report.spaces.filter(\.isPlaceholder).map { space in
      "The record of cache space \(space.id) is lost: its model and settings are not known until an engine opens\n"
        + "the space with them. Its sessions resume as before.\n"
    }.joined()
  }

  private var outcome: String {
    let verb = new == nil ? "would come back" : "came back"
    var text = ""
    if report.isWritten, let new { text += "Rebuilt \(Answer.printable(damaged)) as \(Answer.printable(new)).\n" }
    if new != nil, !report.isWritten { text += "Nothing can be brought back; no store was made.\n" }
    text += "\(report.wholeSessionCount) of \(Answer.count(report.sessions.count, "session")) \(verb) whole"
    for (fate, word) in [(SalvageReport.Session.Fate.older, "older"), (.partial, "cut"), (.lost, "lost")] {
      let count = report.sessions.count { $0.fate == fate }
      if count > 0 { text += ", \(count) \(word)" }
    }
    text += "; \(Answer.count(report.salvagedBlockCount, "block")), \(report.cachedBlockCount) of them in no session"
    text += " (\(ByteSize(report.salvagedByteCount))).\n"
    if report.sessions.contains(where: { $0.fate == .lost && $0.missingBlockCount < $0.blockCount }) {
      text += "With --partial, what comes before a session's first lost block is brought back too.\n"
    }
    if report.deletedSessionCount > 0 {
      text += "\(Answer.count(report.deletedSessionCount, "session")) stayed out: deleted before.\n"
    }
    if !report.isSessionTableRead {
      text += "LMDB's table of sessions cannot be read: sessions that were deleted may be among them"
      if report.damagedSessionCount > 0 {
        text += ", and\n\(Answer.count(report.damagedSessionCount, "damaged session record")) may be remains or losses"
      }
      text += ".\n"
    }
    return text
  }
}
