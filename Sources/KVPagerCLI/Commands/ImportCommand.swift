import ArgumentParser
import KVInspection
import KVInterchange
import KVPager

struct ImportCommand: ParsableCommand {
  static let schema = AnswerSchema("import", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Store an engine's KV-cache file as a session.",
    usage: "kvpager import <file> --store <dir> --session <name> [<options>]",
    discussion: """
      Reads llama.cpp sequence, session and slot files, memory blobs (versions 2 to 4) and safetensors; the \
      format is found by looking. Blocks that the store has already, byte for byte, are shared. The session \
      appears when all of it is safe on disk, never in part.

      EXAMPLES
        kvpager import chat.ggsq --store kv --session chat --model llama-3.2-1b
        kvpager import blob.bin --store kv --session chat --tokens ids.json
        kvpager import chat.ggsq --store kv --session chat --expires 30d
      """)

  @Argument(help: "The file to import.", completion: .file())
  var file: String

  @Option(help: ArgumentHelp("The name of the new session.", valueName: "name"))
  var session: String

  @Flag(help: "Replace a session of that name, once the new one is safe.")
  var replace = false

  @Option(
    help: ArgumentHelp("Token ids for a file that carries none: a JSON array or plain numbers.", valueName: "file"),
    completion: .file())
  var tokens: String?

  @Option(
    help: ArgumentHelp("Delete the session at the first gc after this time: 90s, 45m, 12h, 30d, 2w.", valueName: "time")
  )
  var expires: Lifetime?

  @Option(help: ArgumentHelp("A name and value of your own; may be repeated.", valueName: "name=value"))
  var metadata: [MetadataEntry] = []

  @OptionGroup(title: "What may share blocks") var origin: OriginOptions
  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  struct OriginOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The model's label: sessions of other models share nothing.", valueName: "label"))
    var model = "unlabelled"

    @Option(help: ArgumentHelp("The adapter (LoRA) that was active.", valueName: "name"))
    var adapter = ""

    @Option(help: ArgumentHelp("Keeps tenants apart: sessions of other salts share nothing.", valueName: "text"))
    var salt = ""

    @Option(help: ArgumentHelp("Tokens in a block.", valueName: "n"))
    var blockTokens = 64
  }

  func run() throws {
    let input = try InputState(path: file, tokens: tokens.map { try TokenFile.read($0) })
    let layout = try BlockLayout(blockTokenCount: origin.blockTokens, planes: input.state.planes)
    let fingerprint = try input.fingerprint(model: origin.model, adapter: origin.adapter, salt: origin.salt)
    let report = try store.withStore(.readWriteCreating) { store in
      let started = ContinuousClock.now
      let space = try store.cacheSpace(for: fingerprint, layout: layout)
      let replaced = try store.sessions().filter { $0.name == session }
      guard replace || replaced.isEmpty else {
        throw StoreError(
          .alreadyExists, "a session \"\(session)\" exists; add --replace, delete it, or choose another name")
      }
      let target =
        try replaced.contains { $0.space == space.id }
        ? emptied(space.session(named: session)) : space.createSession(named: session)
      try fill(target, from: input)
      try target.commit()
      for other in replaced where other.space != space.id {
        try store.cacheSpace(other.space).deleteSession(named: other.name)
      }
      return ImportReport(target, input: input, memory: store.memoryStatistics, elapsed: ContinuousClock.now - started)
    }
    try Answer.write(Self.schema, json: report.json, text: report.text, output)
  }

  /// A session that starts anew in RAM; in the store it stays as it was until the commit.
  private func emptied(_ session: Session) throws(StoreError) -> Session {
    session.setCheckpoint(nil)
    try session.truncate(to: 0)
    session.metadata = [:]
    session.expiresMicroseconds = nil
    return session
  }

  private func fill(_ session: Session, from input: InputState) throws {
    let state = input.state
    let planes = state.planes.indices
    let progress = ProgressLine("importing", totalByteCount: session.space.layout.tokenByteCount * state.rowCount)
    defer { progress.finish() }
    do {
      try session.append(state.tokens, sharing: .byContent) { writer in
        for plane in planes {
          try writer.withUnsafeRows(ofPlane: plane) { (rows) throws(FormatError) in
            try state.copyRows(plane: plane, rows: writer.tokens, into: rows)
            progress.advance(by: rows.count)
          }
        }
      }
      if state.checkpointByteCount > 0 { session.setCheckpoint(try state.readCheckpoint()) }
    } catch let error as FormatError {
      throw InputFailure(path: input.path, cause: error)
    }
    session.origin = state.origin
    let now = Timestamp.now
    session.metadata = [
      "import.format": state.formatName, "import.file": input.name, "import.time": now.iso8601,
    ]
    for entry in metadata { session.metadata[entry.name] = entry.value }
    if let expires { session.expiresMicroseconds = now.microseconds + expires.microseconds }
  }
}

/// What an import did.
struct ImportReport {
  let session: String
  let space: SpaceID
  let formatName: String
  let fileName: String
  let tokensAreKnown: Bool
  let tokenCount: Int
  let blockCount: Int
  let fileByteCount: Int
  let rowByteCount: Int
  let memory: KVPager.StoreStatistics.Memory
  let elapsed: Duration

  init(_ session: Session, input: InputState, memory: KVPager.StoreStatistics.Memory, elapsed: Duration) {
    self.session = session.name
    space = session.space.id
    formatName = input.state.formatName
    fileName = input.name
    tokensAreKnown = input.state.tokensAreKnown
    tokenCount = session.tokenCount
    blockCount = session.blockCount
    fileByteCount = input.byteCount
    rowByteCount = session.space.layout.payloadByteCount(tokenCount: session.tokenCount)
    self.memory = memory
    self.elapsed = elapsed
  }

  var json: JSONValue {
    [
      "session": .string(session), "space": .integer(Int(space.rawValue)), "format": .string(formatName),
      "file": .string(fileName), "tokensAreKnown": .bool(tokensAreKnown), "tokens": .integer(tokenCount),
      "blocks": ["total": .integer(blockCount), "shared": .integer(memory.sharedBlockCount)],
      "bytes": [
        "file": .integer(fileByteCount), "rows": .integer(rowByteCount), "written": .integer(memory.writtenBytes),
      ],
      "hits": HitCounts.json(memory), "milliseconds": .integer(Int(elapsed / .milliseconds(1))),
    ]
  }

  var text: String {
    var text = """
      imported \(Answer.printable(fileName)) (\(formatName)) as session "\(session)"
        \(Answer.count(tokenCount, "token")) in \(Answer.count(blockCount, "block")), \
      \(memory.sharedBlockCount) of them shared
        \(ByteSize(fileByteCount)) read, \(ByteSize(memory.writtenBytes)) written, \
      \(Decimal.text(elapsed / .seconds(1), digits: 2)) s, \(Rate.text(byteCount: fileByteCount, after: elapsed))
        \(HitCounts.text(memory))

      """
    if !tokensAreKnown {
      text += "  the file does not tell its tokens: nothing is shared with other sessions (--tokens gives them)\n"
    }
    return text
  }
}
