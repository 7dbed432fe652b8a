import ArgumentParser
import KVInspection
import KVPager

struct TreeCommand: ParsableCommand {
  static let schema = AnswerSchema("tree", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "tree",
    abstract: "Draw the prefix tree: who shares which beginning.",
    usage: "kvpager tree --store <dir> [<options>]",
    discussion: """
      A line is a run of blocks that follow one another until sessions part or one ends, named by its last \
      block. SIZE and SHARE are the frames of the run and of all that hangs on it, TOKENS those of the run \
      itself, SESSIONS those that go through it; those that end with it are named.

      EXAMPLES
        kvpager tree --store kv
        kvpager tree --store kv --session chat
        kvpager tree --store kv --depth 2 --width 5 --json
      """)

  @Option(help: ArgumentHelp("Levels of the tree.", valueName: "n"))
  var depth = 8

  @Option(help: ArgumentHelp("Branches shown of one run, those of the most bytes.", valueName: "n"))
  var width = 12

  @Option(help: ArgumentHelp("Only this cache space.", valueName: "id"))
  var space: UInt32?

  @Option(help: ArgumentHelp("Only the path of this session.", valueName: "name"))
  var session: String?

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...TreeOptions.depthLimit).contains(depth) else {
      throw ValidationError("--depth \(depth): give 1 to \(TreeOptions.depthLimit).")
    }
    guard width > 0 else { throw ValidationError("--width \(width): give 1 or more.") }
  }

  func run() throws {
    let options = TreeOptions(
      depth: depth, width: width, space: space.map { SpaceID(rawValue: $0) }, session: session)
    let tree = try store.inspector().tree(options)
    try Answer.write(Self.schema, json: tree.json, text: Self.text(tree), output)
  }

  private static func text(_ tree: PrefixTree) -> String {
    guard !tree.spaces.isEmpty else { return "no cache spaces\n" }
    var text = TreeDrawing(tree).text
    func note(_ count: Int, _ noun: String, _ what: String) {
      if count > 0 { text += Ink.output.bad(Answer.count(count, noun)) + " \(what); see `kvpager verify`\n" }
    }
    note(tree.strayBlockCount, "block", "hang on no root")
    note(tree.damagedBlockCount, "block record", "cannot be read and are left out")
    note(tree.damagedSessionCount, "session", "cannot be read and are left out")
    return text
  }
}
