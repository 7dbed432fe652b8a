import Foundation
import Testing

@Suite struct HelpTests {
  /// What the command says of itself, as programs read it.
  struct Description: Decodable {
    struct Command: Decodable {
      let commandName: String
      let abstract: String?
      let discussion: String?
      let arguments: [Argument]?
      let subcommands: [Command]?
    }

    struct Argument: Decodable {
      struct Name: Decodable { let name: String }
      let kind: String
      let names: [Name]?
      let valueName: String?
      let abstract: String?

      var longNames: [String] { names?.map(\.name) ?? [] }
    }

    let command: Command
  }

  static func describe() throws -> [Description.Command] {
    let outcome = try CommandLineTool.run(["--experimental-dump-help"])
    let description = try JSONDecoder().decode(Description.self, from: Data(outcome.output))
    return (description.command.subcommands ?? []).filter { $0.commandName != "help" }
  }

  static let commands: [Description.Command] = (try? describe()) ?? []
  static let names = commands.map(\.commandName)

  @Test func `the command lists what it can do and its exit statuses`() throws {
    let text = try CommandLineTool.run(["--help"]).text
    #expect(
      Set(Self.names).isSuperset(of: [
        "import", "export", "fork", "sessions", "session", "info", "stats", "tree", "blocks", "block", "diff", "report",
        "verify", "salvage", "gc", "delete", "compact", "completions", "study",
      ]))
    for command in Self.names { #expect(text.contains("\n  \(command) ")) }
    #expect(text.contains("EXIT STATUS"))
    #expect(try CommandLineTool.run(["--version"]).text.split(separator: ".").count == 3)
  }

  @Test(arguments: names)
  func `each command explains itself with an example`(command: String) throws {
    let outcome = try CommandLineTool.run([command, "--help"])
    #expect(outcome.error.isEmpty)
    #expect(outcome.text.contains("EXAMPLES\n  kvpager \(command)"))
    #expect(outcome.text.contains("USAGE: kvpager \(command)"))
    #expect(outcome.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test func `each command, argument and option says what it is for`() throws {
    for command in Self.commands {
      let name = command.commandName
      #expect(command.abstract?.hasSuffix(".") == true, "\(name): a sentence")
      #expect(command.discussion?.contains("EXAMPLES") == true, "\(name)")
      for argument in command.arguments ?? [] {
        let place = "\(name) \(argument.longNames.first ?? argument.valueName ?? "?")"
        #expect(argument.abstract?.isEmpty == false, "\(place) has no help")
        #expect(argument.abstract?.hasSuffix(".") == true, "\(place): a sentence: \(argument.abstract ?? "")")
        #expect(argument.longNames.allSatisfy { $0.count > 1 || $0 == "h" }, "\(place): long names alone")
      }
    }
  }

  @Test func `what opens a store says where, and answers in JSON`() throws {
    for command in Self.commands where !["completions", "study"].contains(command.commandName) {
      let options = Set((command.arguments ?? []).flatMap(\.longNames))
      #expect(options.contains("json"), "\(command.commandName)")
      // Named by its arguments.
      guard !["diff", "salvage"].contains(command.commandName) else { continue }
      #expect(options.contains("store"), "\(command.commandName)")
      // An option that does nothing would promise something.
      let isUser = ["import", "export", "fork", "delete", "gc"].contains(command.commandName)
      let knowsQuota = isUser || ["info", "stats"].contains(command.commandName)
      #expect(options.contains("memory") == isUser, "\(command.commandName)")
      #expect(options.contains("quota") == knowsQuota, "\(command.commandName)")
    }
  }

  @Test func `no arguments is a request for help`() throws {
    #expect(try CommandLineTool.run([]).text.contains("SUBCOMMANDS"))
  }
}
