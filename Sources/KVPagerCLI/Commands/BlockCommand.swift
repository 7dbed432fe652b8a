import ArgumentParser
import KVInspection
import KVPager

struct BlockCommand: ParsableCommand {
  static let schema = AnswerSchema("block", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "block",
    abstract: "Show one block: its chain, frame and planes; write a plane's rows.",
    usage: "kvpager block <hash> --store <dir> [<options>]",
    discussion: """
      The first digits of the hash are enough where one block alone has them. Numbers of a plane are those \
      of its decoded rows, quantised ones multiplied with their scale; SD is their standard deviation. Exit \
      status 1 where the block's frame is damaged; what can be believed of it is shown.

      --dump writes rows: npy is a NumPy file of tokens x values (bf16 widened to float32, quantised \
      values multiplied out, so that nothing is lost), raw the bytes as they are, text numbers in lines.

      EXAMPLES
        kvpager block 577197a6 --store kv
        kvpager block 577197a6 --store kv --plane 3.keys
        kvpager block 577197a6 --store kv --dump 3.keys --output keys.npy
        kvpager block 577197a6 --store kv --dump 12 --format text | head -n 3
      """)

  @Argument(
    help: ArgumentHelp("The block's hash, or its first digits: 4 or more.", valueName: "hash"),
    completion: .custom(ValueCompletion.blocks))
  var prefix: HashPrefix

  @Option(
    help: ArgumentHelp("The block's cache space, where several have such a block.", valueName: "id"),
    completion: .custom(ValueCompletion.spaces))
  var space: UInt32?

  @Option(
    name: .customLong("plane"),
    help: ArgumentHelp("Only this plane: 3.keys, 3.values or its number. May be repeated.", valueName: "plane"))
  var planes: [PlaneChoice] = []

  @Option(help: ArgumentHelp("Write this plane's rows.", valueName: "plane"))
  var dump: PlaneChoice?

  @Option(help: ArgumentHelp("How rows are written.", valueName: "format"))
  var format = PlaneRows.Format.npy

  @Option(
    name: .customLong("output"), help: ArgumentHelp("Where to write them; - for standard output.", valueName: "file"),
    completion: .file())
  var file = ExportTarget.standardOutputName

  @Flag(help: "Replace a file that exists.")
  var force = false

  @OptionGroup(title: "Text") var vocabulary: VocabularyOptions
  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if prefix.digitCount < StoreInspector.leastPrefixDigitCount {
      throw ValidationError(
        "\(prefix): give \(StoreInspector.leastPrefixDigitCount) digits of the hash or more.")
    }
    if dump != nil {
      if !planes.isEmpty { throw ValidationError("--plane and --dump: choose one.") }
      if output.isJSON, file == ExportTarget.standardOutputName {
        throw ValidationError("--json and rows both want standard output: add --output <file>.")
      }
    } else if file != ExportTarget.standardOutputName || force || format != .npy {
      throw ValidationError("--output, --format and --force need --dump <plane>.")
    }
  }

  func run() throws {
    if let dump { return try write(dump) }
    let detail = try store.inspector().block(
      prefix,
      BlockOptions(
        space: identifier, planes: planes.isEmpty ? nil : planes, text: try vocabulary.decoder(),
        wantsSessionText: vocabulary.isWanted))
    try Answer.write(Self.schema, json: detail.json, text: BlockDrawing(detail).text, output)
    if !detail.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }

  private var identifier: SpaceID? { space.map { SpaceID(rawValue: $0) } }

  private func write(_ plane: PlaneChoice) throws {
    let isStream = file == ExportTarget.standardOutputName
    let said = try store.inspector().withRows(of: plane, prefix, space: identifier) {
      (layout, tokenCount, rows) throws(StoreError) in
      let rows = PlaneRows(layout: layout, tokenCount: tokenCount, bytes: rows)
      let target: ExportTarget =
        isStream && format == .text
        ? .stream(.output) : try ExportTarget(path: file, replaces: force)
      try rows.write(as: format) { (bytes) throws(StoreError) in try target.write(bytes) }
      try target.finish()
      return (rows.description(of: format), rows.json(of: format))
    }
    guard isStream else {
      return try Answer.write(
        json: .object(said.1.merging(["file": .string(file)]) { $1 }), text: "wrote \(file): \(said.0)\n", output)
    }
    // The rows have standard output for themselves.
    if format != .text { try ByteStream.error.writeLine("kvpager: \(said.0)") }
  }
}

extension PlaneChoice: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension PlaneRows.Format: ExpressibleByArgument {}
