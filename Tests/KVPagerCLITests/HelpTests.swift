import Testing

@Suite struct HelpTests {
  static let commands = [
    "import", "export", "fork", "sessions", "session", "info", "stats", "verify", "gc", "delete", "compact",
  ]

  @Test func `the command lists what it can do and its exit statuses`() throws {
    let text = try CommandLineTool.run(["--help"]).text
    for command in Self.commands { #expect(text.contains("\n  \(command) ")) }
    #expect(text.contains("EXIT STATUS"))
    #expect(try CommandLineTool.run(["--version"]).text.split(separator: ".").count == 3)
  }

  @Test(arguments: commands)
  func `each command explains itself with an example`(command: String) throws {
    let outcome = try CommandLineTool.run([command, "--help"])
    #expect(outcome.error.isEmpty)
    #expect(outcome.text.contains("EXAMPLES\n  kvpager \(command)"))
    for option in ["--store <dir>", "--memory <size>", "--quota <size>", "--json", "KVPAGER_STORE"] {
      #expect(outcome.text.contains(option), "\(command) \(option)")
    }
    #expect(outcome.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test func `no arguments is a request for help`() throws {
    #expect(try CommandLineTool.run([]).text.contains("SUBCOMMANDS"))
  }
}
