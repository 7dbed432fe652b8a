import ArgumentParser
import KVInspection
import KVPager

struct SessionsCommand: ParsableCommand {
  static let schema = AnswerSchema("sessions", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "List the sessions: what fills the disk, what is shared, what may go.",
    usage: "kvpager sessions [--sort <order>] [<filters>] --store <dir> [<options>]",
    discussion: """
      Columns: name, space, tokens, blocks; size (bytes of keys and values as the session has them, before \
      compression), own (those that no other session has), shared (the rest); stored (its blocks' frames), disk \
      (their pages), frees (what deleting it gives back); checkpoint, used, updated, created, expires, revision; \
      metadata.NAME.

      Several filters are all to be met. The last line adds up all sessions that meet them, shown or not.

      EXAMPLES
        kvpager sessions --store kv --sort own --limit 10
        kvpager sessions --store kv --name 'support/*' --metadata user=anna
        kvpager sessions --store kv --unused-for 7d --columns name,frees,used
        kvpager sessions --store kv --expired --json
      """)

  @Option(help: ArgumentHelp("Largest, latest or first by name first: \(Self.orders).", valueName: "order"))
  var sort: Order?

  @Flag(help: "The other way round.")
  var reverse = false

  @Option(help: ArgumentHelp("Only names like this (*, ?, [a-z] as a shell has them).", valueName: "pattern"))
  var name: String?

  @Option(help: ArgumentHelp("Only this cache space's sessions.", valueName: "id"))
  var space: UInt32?

  @Flag(help: "Only sessions whose expiry has passed.")
  var expired = false

  @Option(help: ArgumentHelp("Only sessions not used for so long: 90s, 12h, 7d, 2w.", valueName: "time"))
  var unusedFor: Lifetime?

  @Option(
    help: ArgumentHelp("Only sessions with this metadata, whatever its value or this one.", valueName: "name[=value]"))
  var metadata: [MetadataFilter] = []

  @Option(help: ArgumentHelp("What to show, in this order: name,tokens,own,metadata.title.", valueName: "names"))
  var columns: SessionColumns?

  @Option(help: ArgumentHelp("The most to show.", valueName: "n"))
  var limit: Int?

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  private static let orders = SessionQuery.Order.allCases.map(\.rawValue).joined(separator: ", ")

  mutating func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): give 1 or more.") }
  }

  func run() throws {
    var query = SessionQuery()
    query.name = name.map { NamePattern($0) }
    query.space = space.map { SpaceID(rawValue: $0) }
    query.isExpired = expired
    query.unusedForMicroseconds = unusedFor?.microseconds
    query.metadata = metadata.map(\.filter)
    query.order = sort?.order
    query.isReversed = reverse
    query.limit = limit
    let moment = Moment()
    let list = try store.inspector().sessions(query, nowMicroseconds: moment.now.microseconds)
    try Answer.write(Self.schema, json: list.json, text: text(list, moment), output)
  }

  private func text(_ list: SessionList, _ moment: Moment) -> String {
    var text = ""
    if list.sessions.isEmpty {
      text =
        list.storedCount == 0 ? "no sessions\n" : "none of \(Answer.count(list.storedCount, "session")) meets that\n"
    } else {
      let columns = columns?.columns ?? Self.columns(list)
      var table = TextTable(columns.map { ($0.title, $0.alignment) })
      for session in list.sessions { table.append(columns.map { $0.text(session, moment) }) }
      text = table.text + total(list)
    }
    if list.damagedCount > 0 {
      let names = list.damagedNames.prefix(5).map { "\"\(Answer.printable($0))\"" }.joined(separator: ", ")
      text +=
        Ink.output.bad("\(Answer.count(list.damagedCount, "session")) cannot be read: \(names); see verify") + "\n"
    }
    if !list.isOneSnapshot { text += "others wrote meanwhile: the figures are of slightly different moments\n" }
    return text
  }

  /// The space only where it tells sessions apart.
  private static func columns(_ list: SessionList) -> [SessionColumn] {
    var columns = SessionColumn.standard
    if Set(list.sessions.map(\.space)).count > 1 { columns.insert(.fact(.space), at: 1) }
    return columns
  }

  private func total(_ list: SessionList) -> String {
    let total = list.total
    var text = Answer.count(total.sessionCount, "session")
    if total.sessionCount < list.storedCount { text += " of \(Decimal.grouped(list.storedCount))" }
    if list.sessions.count < total.sessionCount { text += ", \(Decimal.grouped(list.sessions.count)) shown" }
    return text + ": \(Decimal.grouped(total.tokenCount)) tokens, \(ByteSize(total.logicalByteCount)), "
      + "\(ByteSize(total.uniqueByteCount)) of that shared with none\n"
  }
}

extension SessionsCommand {
  enum Order: String, ExpressibleByArgument, CaseIterable {
    case name, tokens, size, own, shared, used, updated, created, expires

    var order: SessionQuery.Order { SessionQuery.Order(rawValue: rawValue) ?? .name }
  }

  struct SessionColumns: ExpressibleByArgument {
    let columns: [SessionColumn]

    init?(argument: String) {
      guard let columns = SessionColumn.list(argument) else { return nil }
      self.columns = columns
    }
  }

  /// `name` or `name=value`.
  struct MetadataFilter: ExpressibleByArgument {
    let filter: SessionQuery.Metadata

    init?(argument: String) {
      guard !argument.isEmpty, !argument.hasPrefix("=") else { return nil }
      if let entry = MetadataEntry(argument: argument) {
        filter = .init(key: entry.name, value: entry.value)
      } else {
        filter = .init(key: argument, value: nil)
      }
    }
  }
}

extension SessionFacts {
  /// For people.
  var expiryText: String {
    guard let expiresMicroseconds else { return "never" }
    let expiry = Timestamp(microseconds: expiresMicroseconds)
    return expiry <= .now ? "due at the next gc" : expiry.local
  }
}
