import ArgumentParser
import KVInspection
import KVPager

struct ReportCommand: ParsableCommand {
  static let schema = AnswerSchema("report", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a page about the store: what fills it, what is shared.",
    usage: "kvpager report --html <file> --store <dir> [<options>]",
    discussion: """
      One self-contained page for a browser: health, where the bytes go, the prefix tree, which sessions begin \
      alike, compression, ages, activity, sessions. It loads nothing from the network. --json tells the same \
      facts. Exit status 1 where the store is damaged; the page says what can be told.

      EXAMPLES
        kvpager report --html kv.html --store kv
        kvpager report --html - --store kv | gzip > kv.html.gz
        kvpager report --json --store kv
      """)

  @Option(
    name: .customLong("html"), help: ArgumentHelp("The page to write; - for standard output.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var html: String?

  @Flag(help: "Replace a file that exists.")
  var force = false

  @Option(help: ArgumentHelp("Levels of the prefix tree below a cache space.", valueName: "n"))
  var depth = 12

  @Option(help: ArgumentHelp("Sessions in the table, those that take most.", valueName: "n"))
  var sessions = 100

  @Option(
    help: ArgumentHelp("A GGUF file of the model, whose tokenizer tells what tokens say.", valueName: "file"),
    completion: .file(extensions: ["gguf"]))
  var gguf: String?

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if html == nil, !output.isJSON { throw ValidationError("Nothing is asked for: add --html <file> or --json.") }
    if html == ExportTarget.standardOutputName, output.isJSON {
      throw ValidationError("--json and --html - both want standard output: choose one.")
    }
    guard (1...ReportOptions.depthLimit).contains(depth) else {
      throw ValidationError("--depth \(depth): give 1 to \(ReportOptions.depthLimit).")
    }
    guard (0...ReportOptions.sessionLimitLimit).contains(sessions) else {
      throw ValidationError("--sessions \(sessions): give 0 to \(ReportOptions.sessionLimitLimit).")
    }
  }

  func run() throws {
    // A file that must not be replaced is told of before a large store is read.
    let target = try html.flatMap {
      $0 == ExportTarget.standardOutputName ? nil : try ExportTarget(path: $0, replaces: force)
    }
    let facts = try gathered()
    var byteCount = 0
    if html != nil {
      let page = StoreReport.page(facts)
      byteCount = page.utf8.count
      if let target {
        try Array(page.utf8).withUnsafeBytes { try target.write($0) }
        try target.finish()
      } else {
        try ByteStream.output.write(page)
      }
    }
    if html != ExportTarget.standardOutputName {
      try Answer.write(
        Self.schema, json: facts.json, text: "wrote \(html.map(Answer.printable) ?? ""), \(ByteSize(byteCount))\n",
        output)
    }
    if let refusal = facts.info.refusal { throw StoreError(.damaged, refusal) }
    if !facts.verify.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }

  /// Reads the store under a line that says what is being read.
  private func gathered() throws -> ReportFacts {
    let options = ReportOptions(
      depth: depth, sessionLimit: sessions, nowMicroseconds: Timestamp.now.microseconds,
      programVersion: KVPagerCommand.configuration.version, text: try VocabularyOptions.decoder(gguf))
    let inspector = try store.inspector()
    let stages = StageLine()
    defer { stages.finish() }
    let verifying = ProgressLine(ReportPart.verify.rawValue, totalByteCount: 0)
    return try inspector.reportFacts(
      options, verified: { verifying.advance(to: $0.doneByteCount, of: $0.totalByteCount) },
      progress: { part in
        verifying.finish()
        stages.show(part.rawValue)
      })
  }
}
