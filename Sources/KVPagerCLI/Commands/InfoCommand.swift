import ArgumentParser
import KVInspection
import KVPager

struct InfoCommand: ParsableCommand {
  static let schema = AnswerSchema("info", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what the store is: format, size, cache spaces, health.",
    usage: "kvpager info --store <dir> [<options>]",
    discussion: """
      Exit status 1 where the store is damaged; what its file tells is shown all the same.

      EXAMPLES
        kvpager info --store kv
        kvpager info --store kv --quota 20GB
      """)

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup(title: "Store") var quota: QuotaOption
  @OptionGroup var output: OutputOptions

  func run() throws {
    let moment = Moment()
    let info = try store.inspector().info(
      nowMicroseconds: moment.now.microseconds, quotaByteCount: quota.byteCount)
    try Answer.write(Self.schema, json: info.json, text: InfoDrawing(info, moment).text, output)
    if let refusal = info.refusal { throw StoreError(.damaged, refusal) }
    if !info.isSound { throw ExitCode(CommandFailure.findingStatus) }
  }
}
