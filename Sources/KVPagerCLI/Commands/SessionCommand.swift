import ArgumentParser
import KVInspection
import KVPager

struct SessionCommand: ParsableCommand {
  static let schema = AnswerSchema("session", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "session",
    abstract: "Show one session: its tokens, blocks, bytes, metadata, and what it shares with whom.",
    usage: "kvpager session <name> [--blocks] [--tokens] --store <dir> [<options>]",
    discussion: """
      Blocks that follow one another and are alike stand in one line, with the hash of the last; --blocks shows \
      each. --json has every token and block.

      EXAMPLES
        kvpager session chat --store kv
        kvpager session chat --store kv --blocks
        kvpager session chat --store kv --gguf smollm2.gguf
        kvpager session chat --store kv --json
      """)

  @OptionGroup var name: SessionName
  @OptionGroup var spaceOption: SpaceOption

  @Flag(help: "Each block in a line of its own.")
  var blocks = false

  @Flag(help: "The tokens' ids.")
  var tokens = false

  @OptionGroup(title: "Text") var vocabulary: VocabularyOptions
  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  func run() throws {
    let detail = try store.inspector().session(named: name.value, space: spaceOption.identifier)
    let text = SessionDrawing(detail)
    let decoder = try vocabulary.decoder()
    let words =
      decoder.map { $0(detail.tokens) } ?? (vocabulary.isWanted ? SessionWords.opening(detail.facts.metadata) : nil)
    try Answer.write(
      Self.schema, json: vocabulary.isWanted ? detail.json(withText: words) : detail.json,
      text: text.facts + (words.map(SessionDrawing.words) ?? "") + text.sharing + (blocks ? text.blocks : text.runs)
        + (tokens ? text.tokens : ""),
      output)
  }
}
