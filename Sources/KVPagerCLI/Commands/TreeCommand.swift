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
      A line is a run of blocks that follow one another until sessions part or end, named by its last \
      block; small branches are folded into it (--fold 0: none are). SIZE and SHARE are the frames of the \
      run and of all that hangs on it, TOKENS those of the run itself, SESSIONS those that go through it, \
      HITS the look-ups that found it. Sessions that end in a run are named. With text there is no room \
      for hits and uses; --json has all.

      EXAMPLES
        kvpager tree --store kv
        kvpager tree --store kv --session chat
        kvpager tree --store kv --depth 2 --width 5 --json
        kvpager tree --store kv --gguf smollm2.gguf
      """)

  @Option(help: ArgumentHelp("Levels of the tree.", valueName: "n"))
  var depth = 8

  @Option(help: ArgumentHelp("Branches shown of one run, those of the most bytes.", valueName: "n"))
  var width = 12

  @Option(
    help: ArgumentHelp("Sum up branches of less than this part of all frames, in percent.", valueName: "percent"))
  var fold = 0.5

  @Option(help: ArgumentHelp("Runs shown at most, the largest.", valueName: "n"))
  var top = 200

  @Option(help: ArgumentHelp("Only this cache space.", valueName: "id"), completion: .custom(ValueCompletion.spaces))
  var space: UInt32?

  @Option(help: ArgumentHelp("Only the path of this session.", valueName: "name"))
  var session: String?

  @OptionGroup(title: "Text") var vocabulary: VocabularyOptions
  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...TreeOptions.depthLimit).contains(depth) else {
      throw ValidationError("--depth \(depth): give 1 to \(TreeOptions.depthLimit).")
    }
    guard (0..<100).contains(fold) else { throw ValidationError("--fold \(fold): give 0 to 99 percent.") }
    guard top > 0 else { throw ValidationError("--top \(top): give 1 or more.") }
    guard width > 0 else { throw ValidationError("--width \(width): give 1 or more.") }
  }

  func run() throws {
    let options = TreeOptions(
      depth: depth, width: width, foldShare: fold / 100, nodeLimit: top, space: space.map { SpaceID(rawValue: $0) },
      session: session,
      wantsSessionText: vocabulary.isWanted, text: try vocabulary.decoder())
    let tree = try store.inspector().tree(options)
    try Answer.write(Self.schema, json: tree.json, text: Self.text(tree), output)
  }

  private static func text(_ tree: PrefixTree) -> String {
    guard !tree.spaces.isEmpty else { return "no cache spaces\n" }
    var text = TreeDrawing(tree).text
    func note(_ count: Int, _ noun: String, _ what: String) {
      if count > 0 { text += Ink.output.bad(Answer.count(count, noun)) + " \(what); see `kvpager verify`\n" }
    }
    if tree.isOneSnapshot {
      note(tree.strayBlockCount, "block", "hang on no root")
    } else {
      text += "The store was written while it was read: what came or went meanwhile may be in the tree or not.\n"
    }
    note(tree.damagedBlockCount, "block record", "cannot be read and are left out")
    note(tree.damagedSessionCount, "session", "cannot be read and are left out")
    return text
  }
}
