import ArgumentParser
import KVInspection
import KVPager

struct StatsCommand: ParsableCommand {
  static let schema = AnswerSchema("stats", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count sessions, blocks and bytes.",
    usage: "kvpager stats --store <dir> [<options>]",
    discussion: """
      Bytes of keys and values: logical as the sessions see them, unique with every stored block counted \
      once, compressed as their frames take, disk as the pages of the store's file in use take.

      EXAMPLES
        kvpager stats --store kv
        kvpager stats --store kv --json
      """)

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let statistics = try store.inspector().statistics()
    var facts = FactList()
    facts.add("sessions", String(statistics.sessionCount))
    facts.add(
      "blocks",
      "\(statistics.uniqueBlockCount) unique, \(Answer.count(statistics.blockReferenceCount, "reference")), "
        + "\(statistics.deletableBlockCount) in no session")
    facts.add("logical", ByteSize(statistics.logicalByteCount).description)
    facts.add("unique", Self.text(statistics.uniqueByteCount, from: statistics.logicalByteCount))
    facts.add("compressed", Self.text(statistics.compressedByteCount, from: statistics.uniqueByteCount))
    facts.add("disk", "\(ByteSize(statistics.diskByteCount)), file \(ByteSize(statistics.fileByteCount))")
    if statistics.checkpointByteCount > 0 {
      facts.add("checkpoints", ByteSize(statistics.checkpointByteCount).description)
    }
    if statistics.damagedRecordCount > 0 {
      facts.add("damaged", "\(Answer.count(statistics.damagedRecordCount, "record")), counted nowhere else; see verify")
    }
    try Answer.write(Self.schema, json: statistics.json, text: facts.text, output)
  }

  /// "8.7 MiB (1.30 x less)": what a step saved.
  private static func text(_ byteCount: Int, from before: Int) -> String {
    guard byteCount > 0, before > 0 else { return ByteSize(byteCount).description }
    return "\(ByteSize(byteCount)) (\(Decimal.text(Double(before) / Double(byteCount), digits: 2)) x)"
  }
}
