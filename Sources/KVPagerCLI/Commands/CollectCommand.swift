import ArgumentParser
import KVInspection
import KVPager

struct CollectCommand: ParsableCommand {
  static let schema = AnswerSchema("gc", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Delete expired sessions and what the quota says is too much.",
    usage: "kvpager gc --store <dir> [<options>]",
    discussion: """
      Sessions go only when the expiry that they were given has passed. Blocks that no session refers to go \
      from the least recently used on, until the store fits --quota. Freed room is used again; the file does \
      not shrink by itself: see compact. What a repair can bring blocks or sessions back from stays: see verify.

      EXAMPLES
        kvpager gc --store kv
        kvpager gc --store kv --quota 20GiB
      """)

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let report = try store.withStore(.readWrite) { try $0.collectGarbage() }
    try Answer.write(
      Self.schema,
      json: [
        "expiredSessions": .integer(report.expiredSessionCount), "deletedBlocks": .integer(report.deletedBlockCount),
        "freedBytes": .integer(report.freedBytes), "keptExtents": .integer(report.keptExtentCount),
      ],
      text: "deleted \(Answer.count(report.expiredSessionCount, "expired session")) and "
        + "\(Answer.count(report.deletedBlockCount, "block")), \(ByteSize(report.freedBytes)) freed\n"
        + kept(report.keptExtentCount),
      output)
  }

  private func kept(_ count: Int) -> String {
    guard count > 0 else { return "" }
    return
      "left \(Answer.count(count, "extent")) that `kvpager verify --repair` can bring blocks or sessions back from\n"
  }
}
