import ArgumentParser
import KVInspection
import KVPager

struct SessionsCommand: ParsableCommand {
  static let schema = AnswerSchema("sessions", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "List the sessions.",
    usage: "kvpager sessions --store <dir> [<options>]",
    discussion: """
      SIZE is the bytes of keys and values as the session has them, OWN those that no other session has: \
      before compression.

      EXAMPLES
        kvpager sessions --store kv
        kvpager sessions --store kv --json
      """)

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let sessions = try store.inspector().sessions()
    try Answer.write(Self.schema, json: ["sessions": .array(sessions.map(\.json))], text: Self.text(sessions), output)
  }

  private static func text(_ sessions: [SessionFacts]) -> String {
    guard !sessions.isEmpty else { return "no sessions\n" }
    var table = TextTable([
      ("NAME", .left), ("SPACE", .right), ("TOKENS", .right), ("BLOCKS", .right), ("SIZE", .right), ("OWN", .right),
      ("UPDATED", .left), ("EXPIRES", .left),
    ])
    for session in sessions {
      let name = Answer.printable(session.name) + (session.missingBlockCount > 0 ? " (not whole)" : "")
      table.append([
        name, session.space.description, String(session.tokenCount), String(session.blockCount),
        ByteSize(session.logicalByteCount).description, ByteSize(session.uniqueByteCount).description,
        Timestamp(microseconds: session.updatedMicroseconds).local, session.expiryText,
      ])
    }
    return table.text
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
