import ArgumentParser
import KVPager

struct CompletionsCommand: NeedsNoStore {
  static let configuration = CommandConfiguration(
    commandName: "completions",
    abstract: "Write the completions for a shell.",
    usage: "kvpager completions bash|zsh|fish",
    discussion: """
      Completes commands and options, and the names that the store has: of sessions, blocks and cache spaces.

      EXAMPLES
        kvpager completions bash > ~/.local/share/bash-completion/completions/kvpager
        kvpager completions zsh > ~/.zfunc/_kvpager
        kvpager completions fish > ~/.config/fish/completions/kvpager.fish
      """)

  enum Shell: String, CaseIterable, ExpressibleByArgument {
    case bash, zsh, fish
  }

  @Argument(help: "Whose completions.")
  var shell: Shell

  func run() throws {
    let script = KVPagerCommand.completionScript(for: CompletionShell(rawValue: shell.rawValue) ?? .bash)
    try ByteStream.output.write(script.hasSuffix("\n") ? script : script + "\n")
  }
}
