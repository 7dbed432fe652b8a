import ArgumentParser
import KVInspection
import KVPager

struct SessionCommand: ParsableCommand {
  static let schema = AnswerSchema("session", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "session",
    abstract: "Show one session: its tokens, blocks, bytes and metadata.",
    usage: "kvpager session <name> --store <dir> [<options>]",
    discussion: """
      --json adds the token ids and the block table.

      EXAMPLES
        kvpager session chat --store kv
        kvpager session chat --store kv --json
      """)

  @OptionGroup var name: SessionName
  @OptionGroup var spaceOption: SpaceOption
  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let detail = try store.inspector().session(named: name.value, space: spaceOption.identifier)
    try Answer.write(
      Self.schema, json: detail.json, text: Self.text(detail.facts, lastBlock: detail.blocks.last), output)
  }

  private static func text(_ session: SessionFacts, lastBlock: SessionBlockFacts?) -> String {
    var facts = FactList()
    facts.add("session", Answer.printable(session.name))
    facts.add("space", session.space.description)
    facts.add("tokens", String(session.tokenCount))
    var blocks = "\(session.blockCount), \(session.sharedBlockCount) shared with other sessions"
    if let lastBlock { blocks += ", \(Answer.count(lastBlock.tokenCount, "token")) in the last" }
    facts.add("blocks", blocks)
    if session.missingBlockCount > 0 {
      facts.add("missing", "\(Answer.count(session.missingBlockCount, "block")) gone or damaged")
    }
    facts.add(
      "logical",
      "\(ByteSize(session.logicalByteCount)) of keys and values, \(ByteSize(session.uniqueByteCount)) its own")
    facts.add(
      "compressed", "\(ByteSize(session.compressedByteCount)), \(ByteSize(session.diskByteCount)) on disk")
    if session.checkpointByteCount > 0 { facts.add("checkpoint", "\(ByteSize(session.checkpointByteCount))") }
    facts.add("created", Timestamp(microseconds: session.createdMicroseconds).local)
    facts.add("updated", Timestamp(microseconds: session.updatedMicroseconds).local)
    facts.add("expires", session.expiryText)
    for (name, value) in session.metadata.inNameOrder {
      facts.add(Answer.printable(name), Answer.printable(value))
    }
    return facts.text
  }
}
