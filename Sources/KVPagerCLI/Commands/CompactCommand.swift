import ArgumentParser
import KVInspection
import KVPager

struct CompactCommand: ParsableCommand {
  static let schema = AnswerSchema("compact", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "compact",
    abstract: "Write the store's file smaller, without its free pages.",
    usage: "kvpager compact --store <dir> [--into <dir>] [<options>]",
    discussion: """
      A store's file never shrinks by itself: pages that were freed wait to be used again. In place, the store \
      must not be open anywhere else; the new file is checked and takes the old one's place in one step, and \
      the disk must have room for both. With --into the store stays as it is and may be in use.

      EXAMPLES
        kvpager compact --store kv
        kvpager compact --store kv --drop-cache
        kvpager compact --store kv --into /backup/kv
      """)

  @Option(
    help: ArgumentHelp("Write a compacted copy into this folder; the store stays.", valueName: "dir"),
    completion: .directory)
  var into: String?

  @Flag(help: "Delete the blocks that no session refers to first (in place only).")
  var dropCache = false

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if into != nil, dropCache { throw ValidationError("--drop-cache changes the store: leave it out with --into.") }
    if let into, into.isEmpty { throw ValidationError("--into: give a folder.") }
  }

  func run() throws {
    let path = try store.inspector(givesWay: false).path
    let display = ProgressDisplay("compacting")
    let report = try Store.compact(at: path, into: into, dropsCache: dropCache) { display.show($0, of: $1) }
    display.finish()
    try Answer.write(Self.schema, json: json(path, report), text: text(path, report), output)
  }

  private func json(_ path: String, _ report: Store.Compacted) -> JSONValue {
    [
      "path": .string(path), "into": JSONValue(into), "sessions": .integer(report.sessionCount),
      "blocks": ["kept": .integer(report.blockCount), "deleted": .integer(report.deletedBlockCount)],
      "bytes": ["before": .integer(report.byteCountBefore), "after": .integer(report.byteCountAfter)],
    ]
  }

  private func text(_ path: String, _ report: Store.Compacted) -> String {
    let saved = report.byteCountBefore - report.byteCountAfter
    let share = report.byteCountBefore > 0 ? Double(saved) / Double(report.byteCountBefore) * 100 : 0
    let name = Answer.printable(path)
    var text = into.map { "wrote a compacted copy of \(name) to \(Answer.printable($0))\n" } ?? "compacted \(name)\n"
    text += "  \(ByteSize(report.byteCountBefore)) before, \(ByteSize(report.byteCountAfter)) after"
    text += saved > 0 ? " (\(Decimal.text(share, digits: 1)) % less)\n" : "\n"
    text += "  \(Answer.count(report.sessionCount, "session")), \(Answer.count(report.blockCount, "block"))"
    return text + (dropCache ? "; \(Answer.count(report.deletedBlockCount, "block")) in no session deleted\n" : "\n")
  }
}
