import ArgumentParser
import KVInspection
import KVPager

struct DiffCommand: ParsableCommand {
  static let schema = AnswerSchema("diff", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compare two stores, or two sessions.",
    usage: "kvpager diff <a> <b> [--store <dir>] [<options>]",
    discussion: """
      A store is given by its folder, a session by its name in --store or as DIR::NAME. Of sessions the tokens \
      are compared, and the rows of the tokens that both begin with: where tokens are equal and rows are not, \
      the two were computed differently, or one is damaged. Of stores the spaces, sessions and blocks are; \
      with --deep the rows of the blocks that both have. Names, times and what an import noted of its file are \
      not compared. Exit status 0 where they are equal, 1 where they differ.

      EXAMPLES
        kvpager diff chat branch --store kv
        kvpager diff monday/kv::chat tuesday/kv::chat
        kvpager diff kv /backup/kv --deep --json
      """)

  @Argument(
    help: ArgumentHelp("A store's folder, or a session.", valueName: "a"), completion: .custom(ValueCompletion.sessions)
  )
  var first: String

  @Argument(
    help: ArgumentHelp("Another of the same kind.", valueName: "b"), completion: .custom(ValueCompletion.sessions))
  var second: String

  @Option(
    name: .customLong("store"),
    help: ArgumentHelp(
      "The folder of the store that has the sessions (or set \(StoreLocation.pathVariable)).", valueName: "dir"),
    completion: .directory)
  var givenPath: String?

  @Option(
    help: ArgumentHelp(
      "The sessions' cache space, where several have the name; given twice: A's and B's.", valueName: "id"),
    completion: .custom(ValueCompletion.spaces))
  var space: [UInt32] = []

  @Flag(help: "Of stores: compare the rows of the blocks and the checkpoints that both have, too.")
  var deep = false

  @OptionGroup var output: OutputOptions

  private enum Side: Equatable {
    case store(String)
    case session(path: String, SessionChoice)
  }

  func validate() throws {
    if space.count > 2 { throw ValidationError("--space: give it once for both, or twice for A's and B's.") }
  }

  func run() throws {
    switch (try side(first, spaceIndex: 0), try side(second, spaceIndex: 1)) {
    case (.store(let a), .store(let b)):
      guard space.isEmpty else { throw ValidationError("--space goes with sessions; \(first) is a store.") }
      let comparison = try StorePair(inspector(a), inspector(b)).compareStores(isDeep: deep)
      try answer(comparison.isEqual, comparison.json, StoreDifferenceText(comparison).text)
    case (.session(let a, let firstChoice), .session(let b, let secondChoice)):
      let comparison = try StorePair(inspector(a), inspector(b)).compare(firstChoice, secondChoice)
      try answer(comparison.isEqual, comparison.json, SessionDifferenceText(comparison).text)
    case (.store, .session):
      throw ValidationError("\(first) is a store, \(second) a session: name two of one kind (DIR::NAME is a session).")
    case (.session, .store):
      throw ValidationError("\(first) is a session, \(second) a store: name two of one kind (DIR::NAME is a session).")
    }
  }

  private func answer(_ isEqual: Bool, _ json: JSONValue, _ text: String) throws {
    try Answer.write(Self.schema, json: json, text: text, output)
    if !isEqual { throw ExitCode(CommandFailure.findingStatus) }
  }

  /// DIR::NAME, ::NAME, a store's folder, or a session's name.
  private func side(_ word: String, spaceIndex: Int) throws -> Side {
    let id = space.isEmpty ? nil : SpaceID(rawValue: space[min(spaceIndex, space.count - 1)])
    if let separator = word.firstRange(of: "::") {
      let folder = String(word[..<separator.lowerBound])
      let choice = SessionChoice(name: String(word[separator.upperBound...]), space: id)
      return .session(path: folder.isEmpty ? try storePath(for: word) : folder, choice)
    }
    if StoreLocation.isStore(word) { return .store(word) }
    return .session(path: try storePath(for: word), SessionChoice(name: word, space: id))
  }

  private func storePath(for word: String) throws -> String {
    if let path = StoreLocation.path(given: givenPath), !path.isEmpty { return path }
    throw ValidationError(
      "\(word) is no store's folder: if it is a session, add --store <dir> or write DIR::NAME.")
  }

  private func inspector(_ path: String) throws(StoreError) -> StoreInspector {
    try StoreLocation.requireStore(path)
    return StoreInspector(path: path)
  }
}
