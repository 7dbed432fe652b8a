import ArgumentParser
import KVInspection
import KVInterchange
import KVPager

struct ExportCommand: ParsableCommand {
  static let schema = AnswerSchema("export", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a session as a file that an engine reads.",
    usage: "kvpager export <file> --store <dir> --session <name> [<options>]",
    discussion: """
      Without options the very bytes that were imported come out. The file takes its name only when it is \
      whole. RAM needed does not grow with the session.

      EXAMPLES
        kvpager export chat.ggsq --store kv --session chat
        kvpager export half.ggsq --store kv --session chat --tokens 256
        kvpager export c.safetensors --store kv --session chat --format safetensors
        kvpager export - --store kv --session chat --llama-version 3 | gzip > c.gz
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case sequence = "llama-seq"
    case session = "llama-session"
    case blob = "llama-blob"
    case context = "llama-context"
    case safetensors
  }

  @Argument(help: "The file to write; - for standard output.", completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp("The session to export.", valueName: "name"), completion: .custom(ValueCompletion.sessions))
  var session: String

  @OptionGroup var spaceOption: SpaceOption

  @Option(help: ArgumentHelp("Only the first n tokens (default: all).", valueName: "n"))
  var tokens: Int?

  @Flag(help: "Replace a file that exists.")
  var force = false

  @Option(help: ArgumentHelp("The file's format (default: as imported).", valueName: "format"))
  var format: Format?

  @Option(help: ArgumentHelp("llama.cpp's sequence version, 2 to 4 (default: as imported).", valueName: "n"))
  var llamaVersion: Int?

  @Option(
    help: ArgumentHelp("The model's architecture, which llama-session and llama-context name.", valueName: "name"))
  var arch: String?

  @Option(help: ArgumentHelp("KV heads, for safetensors of shape [tokens, heads, size].", valueName: "n"))
  var heads: Int?

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let llamaVersion, !(2...4).contains(llamaVersion) {
      throw ValidationError("--llama-version \(llamaVersion): give 2, 3 or 4.")
    }
    if let tokens, tokens < 0 { throw ValidationError("--tokens \(tokens): give 0 or more.") }
    if format == .safetensors, llamaVersion != nil || arch != nil {
      throw ValidationError("--llama-version and --arch mean nothing to --format safetensors.")
    }
    if heads != nil, format != .safetensors { throw ValidationError("--heads needs --format safetensors.") }
    if output.isJSON, file == ExportTarget.standardOutputName {
      throw ValidationError("--json and - both want standard output: choose one.")
    }
  }

  func run() throws {
    let report = try store.withStore(.readOnly) { store in
      let started = ContinuousClock.now
      let session = try spaceOption.session(named: session, in: store)
      let export = try EngineFile.writer(
        origin: session.origin, tokens: session.tokens, planes: session.space.layout.planes,
        checkpoint: try session.checkpoint() ?? [], tokenCount: tokens, format: engineFormat)
      let target = try ExportTarget(path: file, replaces: force)
      let progress = ProgressLine("exporting", totalByteCount: export.byteCount)
      defer { progress.finish() }
      try export.write(
        to: { (bytes) throws(StoreError) in try target.write(bytes) },
        gather: { (plane, rows, destination) throws(StoreError) in
          try session.gather(plane: plane, tokens: rows, into: destination)
        },
        progress: { progress.advance(to: $0) })
      try target.finish()
      return ExportReport(
        session: session.name, file: file, tokenCount: export.rowCount, byteCount: export.byteCount,
        memory: store.memoryStatistics, elapsed: ContinuousClock.now - started)
    }
    guard file != ExportTarget.standardOutputName else { return }
    try Answer.write(Self.schema, json: report.json, text: report.text, output)
  }

  private var engineFormat: EngineFile.Format {
    let container: StateContainer? =
      switch format {
      case .sequence: .sequenceFile
      case .session: .sessionFile
      case .blob: .memoryBlob
      case .context: .contextBlob
      case .safetensors, nil: nil
      }
    if format == .safetensors { return .safetensors(headCount: heads) }
    guard container != nil || llamaVersion != nil || arch != nil else { return .asImported }
    return .sequenceState(SequenceExportOptions(container: container, version: llamaVersion, architecture: arch))
  }
}

/// What an export wrote.
struct ExportReport {
  let session: String
  let file: String
  let tokenCount: Int
  let byteCount: Int
  let memory: KVPager.StoreStatistics.Memory
  let elapsed: Duration

  var json: JSONValue {
    [
      "session": .string(session), "file": .string(file), "tokens": .integer(tokenCount),
      "bytes": ["file": .integer(byteCount)], "hits": HitCounts.json(memory),
      "milliseconds": .integer(Int(elapsed / .milliseconds(1))),
    ]
  }

  var text: String {
    """
    exported session "\(session)" to \(Answer.printable(file))
      \(Answer.count(tokenCount, "token")), \(ByteSize(byteCount)) written, \
    \(Decimal.text(elapsed / .seconds(1), digits: 2)) s, \(Rate.text(byteCount: byteCount, after: elapsed))
      \(HitCounts.text(memory))

    """
  }
}
