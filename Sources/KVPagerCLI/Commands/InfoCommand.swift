import ArgumentParser
import KVInspection
import KVPager

struct InfoCommand: ParsableCommand {
  static let schema = AnswerSchema("info", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what the store is: format, size, cache spaces.",
    usage: "kvpager info --store <dir> [<options>]",
    discussion: """
      Exit status 1 where the store is damaged; what its file tells is shown all the same.

      EXAMPLES
        kvpager info --store kv
      """)

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let info = try store.inspector().info()
    try Answer.write(Self.schema, json: info.json, text: Self.text(info), output)
    guard let refusal = info.refusal else { return }
    throw StoreError(.damaged, refusal)
  }

  private static func text(_ info: StoreInfo) -> String {
    var facts = FactList()
    facts.add("store", info.path)
    if let contents = info.contents {
      facts.add("format", "version \(contents.formatVersion)")
      facts.add("id", contents.storeID)
      facts.add("created", Timestamp(microseconds: contents.createdMicroseconds).local)
      let statistics = contents.statistics
      facts.add(
        "file", "\(ByteSize(statistics.fileByteCount)), \(ByteSize(statistics.diskByteCount)) of it in use")
      facts.add("sessions", String(statistics.sessionCount))
      facts.add("blocks", String(statistics.uniqueBlockCount))
      for space in contents.spaces { facts.add("space \(space.space.id)", text(space)) }
    } else if let file = info.file {
      facts.add("file", "\(ByteSize(Int(clamping: file.fileByteCount)))")
    }
    return facts.text
  }

  private static func text(_ space: SpaceFacts) -> String {
    let layout = space.space.layout
    let types = Set(layout.planes.map(\.elementType.name)).sorted().joined(separator: ", ")
    return "\(Answer.printable(space.space.fingerprint.model)): \(Answer.count(space.sessionCount, "session")), "
      + "\(Answer.count(space.blockCount, "block")) of \(layout.blockTokenCount) tokens; "
      + "\(layout.planes.count) planes of \(types), \(ByteSize(layout.tokenByteCount)) a token"
  }
}
