import ArgumentParser

/// The command `kvpager`.
@main
struct KVPagerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kvpager",
    abstract: "A persistent KV-cache store for LLM inference.",
    discussion: """
      Keeps the attention keys and values that an engine computed: sessions survive a restart byte for byte, \
      and a prefix computed once is shared by every session that begins with it.

      EXAMPLES
        kvpager import chat.ggsq --store kv --session chat
        kvpager fork chat --as branch --tokens 400 --store kv
        kvpager export branch.ggsq --store kv --session branch
        kvpager sessions --store kv
        KVPAGER_STORE=kv kvpager verify --deep

      EXIT STATUS
        0  success
        1  a finding or an operating error: damage, not found, disk full, ...
        2  wrong usage
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Sessions",
        subcommands: [
          ImportCommand.self, ExportCommand.self, ForkCommand.self, SessionsCommand.self, SessionCommand.self,
          DeleteCommand.self,
        ]),
      CommandGroup(
        name: "Store",
        subcommands: [
          InfoCommand.self, StatsCommand.self, TreeCommand.self, BlocksCommand.self, BlockCommand.self,
          WatchCommand.self, ReportCommand.self, DiffCommand.self, VerifyCommand.self, SalvageCommand.self,
          CompactCommand.self, CollectCommand.self,
        ]),
      CommandGroup(name: "Studies", subcommands: [StudyCommand.self]),
      CommandGroup(name: "Shell", subcommands: [CompletionsCommand.self]),
    ])

  static func main() {
    ProcessSetup.apply()
    let isChild = ParentLink.take()
    if !isChild, completesWord, let ending = ChildProcess.runThisCommand() {
      guard case .exit(let status) = ending else { CommandFailure.end(CommandFailure.findingStatus) }
      CommandFailure.end(status)
    }
    do {
      var command = try parseAsRoot()
      let modes = isChild ? nil : TerminalModes()
      if !isChild, touchesStore(command), let ending = ChildProcess.runThisCommand() {
        switch ending {
        case .exit(let status): CommandFailure.end(status)
        case .signal(let number):
          // Whatever killed the child may have left it no time to do so.
          if (command as? WatchCommand)?.takesScreen == true, !EndingSignal.requests.contains(number) {
            try? ByteStream.output.write("\(TerminalScreen.leaveSequence)")
          }
          modes?.giveBack(isWaiting: false)
          EndingSignal.end(by: number)
        }
      }
      try command.run()
    } catch {
      CommandFailure(error).exit()
    }
  }

  /// A shell asks for the names that a store has, before any command is there to ask: nothing is said of a child that
  /// dies of it, in the midst of somebody's line.
  private static var completesWord: Bool { CommandLine.arguments.dropFirst().first == "---completion" }

  /// All subcommands do, unless they say otherwise; what only explains itself does not.
  private static func touchesStore(_ command: any ParsableCommand) -> Bool {
    if let command = command as? any MayNeedStore { return command.needsStore }
    let type = type(of: command)
    return configuration.subcommands.contains { $0 == type } && !(type is any NeedsNoStore.Type)
  }
}

/// A command that opens no store: its work is done in the process that was started.
protocol NeedsNoStore: ParsableCommand {}

/// A command that opens a store where it is told to.
protocol MayNeedStore: ParsableCommand {
  var needsStore: Bool { get }
}
