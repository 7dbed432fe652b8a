import ArgumentParser

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Study a decision for a model and a workload.",
    usage: "kvpager study paging [<options>]",
    discussion: """
      EXAMPLES
        kvpager study paging
        kvpager study paging --trace conversation.jsonl.zst --html paging.html
      """,
    subcommands: [StudyPagingCommand.self])
}
