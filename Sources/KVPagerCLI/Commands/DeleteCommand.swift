import ArgumentParser
import KVInspection
import KVPager

struct DeleteCommand: ParsableCommand {
  static let schema = AnswerSchema("delete", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete a session.",
    usage: "kvpager delete <name> --store <dir> [<options>]",
    discussion: """
      Its blocks stay as cache, and shared ones stay with the other sessions; the quota takes away what \
      nobody refers to.

      EXAMPLES
        kvpager delete chat --store kv
      """)

  @OptionGroup var name: SessionName
  @OptionGroup var spaceOption: SpaceOption
  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try store.withStore(.readWrite) { store in
      if let space = spaceOption.identifier {
        try store.cacheSpace(space).deleteSession(named: name.value)
      } else {
        try store.deleteSession(named: name.value)
      }
    }
    try Answer.write(
      Self.schema,
      json: ["deleted": [.string(name.value)]], text: "deleted session \"\(Answer.printable(name.value))\"\n", output)
  }
}
