import ArgumentParser
import KVInspection
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

struct ReportCommand: ParsableCommand {
  static let schema = AnswerSchema("report", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a page about the store: what fills it, what is shared.",
    usage: "kvpager report --html <file> --store <dir> [<options>]",
    discussion: """
      One self-contained page for a browser: health, where the bytes go, the prefix tree, which sessions begin \
      alike, compression, ages, sessions. It loads nothing from the network. --json tells the same facts; \
      SOURCE_DATE_EPOCH (seconds since 1970) stands for the present time, for pages that can be made again.

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

  @OptionGroup(title: "Store") var store: StoreOptions
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
    let facts = try store.inspector().reportFacts(
      ReportOptions(
        depth: depth, sessionLimit: sessions, nowMicroseconds: Self.now.microseconds,
        programVersion: KVPagerCommand.configuration.version))
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
    guard let refusal = facts.info.refusal else { return }
    throw StoreError(.damaged, refusal)
  }

  /// The present, or what SOURCE_DATE_EPOCH says it is (https://reproducible-builds.org/specs/source-date-epoch).
  private static var now: Timestamp {
    guard let text = getenv("SOURCE_DATE_EPOCH"), let seconds = UInt64(String(cString: text)),
      seconds < UInt64.max / 1_000_000
    else { return .now }
    return Timestamp(microseconds: seconds * 1_000_000)
  }
}
