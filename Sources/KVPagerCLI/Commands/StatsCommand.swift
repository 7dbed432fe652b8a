import ArgumentParser
import KVInspection
import KVPager

struct StatsCommand: ParsableCommand {
  static let schema = AnswerSchema("stats", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count sessions, blocks and bytes: where the bytes go.",
    usage: "kvpager stats [--detail] [--exact] --store <dir> [<options>]",
    discussion: """
      Bytes of keys and values: logical as the sessions see them, unique with every stored block counted \
      once, compressed as their frames take, disk as the pages of the store's file in use take. Each step's \
      factor is what it saved; one below 1 cost.

      Figures by layer, plane kind and element type come from the frames' headers. Of a large store an even \
      sample of them is read, and the answer says so; --exact reads all.

      EXAMPLES
        kvpager stats --store kv
        kvpager stats --store kv --detail
        kvpager stats --store kv --exact --json
      """)

  @Flag(help: "Add tables by layer, histograms of sharing and age, and LMDB's tables.")
  var detail = false

  @Flag(help: "Read every frame's header, however many there are.")
  var exact = false

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup(title: "Store") var quota: QuotaOption
  @OptionGroup var output: OutputOptions

  func run() throws {
    let statistics = try store.inspector().statistics(
      detail: exact ? .exact : .standard, nowMicroseconds: Timestamp.now.microseconds,
      quotaByteCount: quota.byteCount)
    let text = StatisticsDrawing(statistics)
    try Answer.write(
      Self.schema, json: statistics.json, text: detail ? text.summary + text.sections : text.summary, output)
  }
}
