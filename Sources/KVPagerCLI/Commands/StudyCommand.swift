import ArgumentParser

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Study a decision for a model and a workload.",
    usage: "kvpager study paging [<options>]",
    subcommands: [StudyPagingCommand.self])
}
