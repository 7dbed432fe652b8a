import ArgumentParser
import KVInspection
import KVPager

struct BlocksCommand: ParsableCommand {
  static let schema = AnswerSchema("blocks", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "blocks",
    abstract: "List blocks: the largest, the oldest, the most shared.",
    usage: "kvpager blocks [<hash>] --store <dir> [<options>]",
    discussion: """
      AT is where the block begins, in tokens from the root. ROWS are the bytes of keys and values, FRAME \
      those after compression, HITS the look-ups that found it. Ages are told as 90s, 45m, 12h, 30d, 2w.

      EXAMPLES
        kvpager blocks --store kv
        kvpager blocks --store kv --unreferenced --sort age --top 5
        kvpager blocks --store kv --session chat --all
        kvpager blocks 5771 --store kv --json
      """)

  @Argument(
    help: ArgumentHelp("Only blocks whose hash begins so.", valueName: "hash"),
    completion: .custom(ValueCompletion.blocks))
  var prefix: HashPrefix?

  @Option(help: ArgumentHelp("Only this cache space.", valueName: "id"), completion: .custom(ValueCompletion.spaces))
  var space: UInt32?

  @Option(help: ArgumentHelp("Only this session's blocks.", valueName: "name"))
  var session: String?

  @Flag(help: "Only blocks that no session holds.")
  var unreferenced = false

  @Option(help: ArgumentHelp("Only blocks that n sessions hold, or more.", valueName: "n"))
  var shared: Int?

  @Option(help: ArgumentHelp("Only frames of this size, or more.", valueName: "size"))
  var minSize: ByteSize?

  @Option(help: ArgumentHelp("Only blocks that were not used for so long.", valueName: "time"))
  var unusedFor: Lifetime?

  @Option(help: ArgumentHelp("What comes first: the largest, longest unused, most shared ...", valueName: "order"))
  var sort = BlockQuery.Order.size

  @Flag(help: "The other end of the order first.")
  var reverse = false

  @Option(help: ArgumentHelp("Blocks to list.", valueName: "n"))
  var top = 20

  @Flag(help: "List all of them.")
  var all = false

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if top < 1 { throw ValidationError("--top \(top): give 1 or more.") }
    if let shared, shared < 1 { throw ValidationError("--shared \(shared): give 1 or more.") }
    if unreferenced, shared != nil { throw ValidationError("--unreferenced and --shared leave no block: choose one.") }
  }

  func run() throws {
    let list = try store.inspector().blocks(query)
    try output.isJSON ? Self.writeJSON(list) : Self.writeText(list)
  }

  private var query: BlockQuery {
    var query = BlockQuery()
    query.space = space.map { SpaceID(rawValue: $0) }
    query.session = session
    query.isUnreferenced = unreferenced
    query.leastSessionCount = shared ?? 0
    query.leastFrameByteCount = minSize?.byteCount ?? 0
    query.unusedSinceMicroseconds = unusedFor.map { lifetime in
      let now = Timestamp.now.microseconds
      return now - min(now, lifetime.microseconds)
    }
    query.prefix = prefix
    query.order = sort
    query.isReversed = reverse
    query.limit = all ? nil : top
    return query
  }

  private static func writeJSON(_ list: BlockList) throws(StoreError) {
    let rest: JSONValue = [
      "bytes": ["rows": .integer(list.matched.rowByteCount), "frames": .integer(list.matched.frameByteCount)],
      "damagedBlocks": .integer(list.damagedCount), "matched": .integer(list.matched.blockCount),
      "oneSnapshot": .bool(list.isOneSnapshot), "shown": .integer(list.count), "stored": .integer(list.storedCount),
      "tokens": .integer(list.matched.tokenCount),
    ]
    // A million blocks go out as they come.
    try ListAnswer.write("blocks", (0..<list.count).lazy.map { list[$0].json }, rest: rest.tagged(schema))
  }

  private static func writeText(_ list: BlockList) throws(StoreError) {
    guard list.count > 0 else { return try ByteStream.output.write("no such blocks\n") }
    let space = list[0].key.space
    let hasSpaces = (0..<list.count).contains { list[$0].key.space != space }
    var columns: [(title: String, alignment: TextTable.Alignment)] = [
      ("HASH", .left), ("AT", .right), ("TOKENS", .right), ("ROWS", .right), ("FRAME", .right), ("RATIO", .right),
      ("SESSIONS", .right), ("HITS", .right), ("LAST USED", .left),
    ]
    if hasSpaces { columns.insert(("SPACE", .right), at: 1) }
    var table = TableLines(columns)
    for place in 0..<list.count { table.measure(cells(list[place], hasSpaces)) }
    var text = table.heading
    for place in 0..<list.count {
      text += table.line(cells(list[place], hasSpaces))
      guard text.utf8.count > ListAnswer.bufferByteCount else { continue }
      try ByteStream.output.write(text)
      text = ""
    }
    text += "\(Decimal.grouped(list.count)) of \(Answer.count(list.matched.blockCount, "block", isGrouped: true)), "
    text += "\(ByteSize(list.matched.frameByteCount)) in their frames"
    text += list.count < list.matched.blockCount ? "; --top <n> or --all lists more\n" : "\n"
    if list.damagedCount > 0 {
      text += Ink.output.bad(Answer.count(list.damagedCount, "block record"))
      text += " cannot be read; see `kvpager verify`\n"
    }
    try ByteStream.output.write(text)
  }

  private static func cells(_ block: BlockList.Entry, _ hasSpaces: Bool) -> [String] {
    [block.key.hash.shortDescription] + (hasSpaces ? [block.key.space.description] : []) + [
      block.tokenOffset.map { Decimal.grouped($0) } ?? "?", Decimal.grouped(block.tokenCount),
      ByteSize(block.rowByteCount).description, ByteSize(block.frameByteCount).description,
      block.frameByteCount > 0
        ? Decimal.text(Double(block.rowByteCount) / Double(block.frameByteCount), digits: 2) : "-",
      Decimal.grouped(block.sessionCount), Decimal.grouped(block.hitCount),
      Timestamp(microseconds: block.lastUseMicroseconds).localDay,
    ]
  }
}

extension HashPrefix: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension BlockQuery.Order: ExpressibleByArgument {}
