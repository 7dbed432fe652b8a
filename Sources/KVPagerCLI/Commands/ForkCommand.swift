import ArgumentParser
import KVInspection
import KVPager

struct ForkCommand: ParsableCommand {
  static let schema = AnswerSchema("fork", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "fork",
    abstract: "Begin another session with a session's tokens.",
    usage: "kvpager fork <name> --as <name> --store <dir> [<options>]",
    discussion: """
      The new session shares the old one's blocks; nothing is copied but the rows of a block that is cut.

      EXAMPLES
        kvpager fork chat --as branch --store kv
        kvpager fork chat --as earlier --tokens 400 --store kv
      """)

  @OptionGroup var name: SessionName

  @Option(name: .customLong("as"), help: ArgumentHelp("The name of the new session.", valueName: "name"))
  var newName: String

  @Option(help: ArgumentHelp("Only the first n tokens (default: all).", valueName: "n"))
  var tokens: Int?

  @OptionGroup var spaceOption: SpaceOption
  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let tokens, tokens < 0 { throw ValidationError("--tokens \(tokens): give 0 or more.") }
  }

  func run() throws {
    try store.withStore(.readWrite) { store in
      let session = try spaceOption.session(named: name.value, in: store)
      guard try !store.sessions().contains(where: { $0.name == newName }) else {
        throw StoreError(.alreadyExists, "a session \"\(newName)\" exists; delete it, or choose another name")
      }
      let fork = try session.fork(named: newName, tokenCount: tokens)
      try fork.commit()
      let sharedBlockCount = Set(session.blockHashes).intersection(fork.blockHashes).count
      try Answer.write(
        Self.schema,
        json: [
          "session": .string(fork.name), "from": .string(session.name), "space": .integer(Int(fork.space.id.rawValue)),
          "tokens": .integer(fork.tokenCount),
          "blocks": ["total": .integer(fork.blockCount), "shared": .integer(sharedBlockCount)],
        ],
        text: "forked \"\(session.name)\" as \"\(fork.name)\": \(Answer.count(fork.tokenCount, "token")) in "
          + "\(Answer.count(fork.blockCount, "block")), \(sharedBlockCount) of them shared\n",
        output)
    }
  }
}
