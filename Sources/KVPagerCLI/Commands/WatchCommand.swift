import ArgumentParser
import KVInspection
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

struct WatchCommand: ParsableCommand {
  static let schema = AnswerSchema("watch", version: 1)

  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Look at a store in use: hits, loads, commits, memory, processes.",
    usage: "kvpager watch --store <dir> [--interval <time>] [<options>]",
    discussion: """
      On a terminal a view of the whole window, until q or Ctrl-C; elsewhere a line for each look, in JSON with \
      --json. Figures come from the processes that have the store open, which tell of themselves a few times a \
      second, and from the store's own counts. Looking takes no lock and does not hinder them.

      EXAMPLES
        kvpager watch --store kv
        kvpager watch --store kv --interval 5s --json | jq .perSecond.loads
        kvpager watch --store kv --once
      """)

  @OptionGroup(title: "Store") var store: StoreLocation
  @OptionGroup var output: OutputOptions

  @Option(help: ArgumentHelp("Time between two looks: 500ms, 1s, 2m.", valueName: "time"))
  var interval = Interval(milliseconds: 1000)

  @Option(help: ArgumentHelp("End after so many looks.", valueName: "n"))
  var count: Int?

  @Flag(help: "Look for one interval, show the view once and end.")
  var once = false

  mutating func validate() throws {
    if let count, count < 1 { throw ValidationError("--count \(count): at least one look is needed.") }
    if once, count != nil { throw ValidationError("--once and --count exclude each other.") }
  }

  /// The whole terminal shows the view.
  var takesScreen: Bool { !output.isJSON && !once && ByteStream.output.isTerminal }

  func run() throws {
    let watch = try StoreWatch(path: store.inspector().path)
    let stream = ByteStream.output
    let style = WatchStyle(ink: Ink(stream), isFine: ShareBar(stream).isFine)
    if takesScreen {
      let loop = WatchLoop(watch: watch, interval: interval, frameLimit: count, style: style)
      guard case .signal(let number) = try loop.run() else { return }
      // Whoever waits for this process sees how it ended.
      signal(number, SIG_DFL)
      _ = kill(getpid(), number)
      return
    }
    try log(watch, style)
  }

  /// A look each interval. The first one, which has no rates yet, is not told.
  private func log(_ watch: StoreWatch, _ style: WatchStyle) throws {
    _ = try watch.look()
    if !output.isJSON, !once { try ByteStream.output.writeLine(WatchLine.title) }
    var due = WatchLoop.milliseconds()
    for _ in 0..<(once ? 1 : count ?? .max) {
      due += interval.milliseconds
      while case let remaining = due - WatchLoop.milliseconds(), remaining > 0 { poll(nil, 0, Int32(remaining)) }
      let facts = try watch.look(untilAllSessions: once)
      if output.isJSON {
        try write(facts.json.tagged(Self.schema).text(isIndented: once) + "\n")
      } else if once {
        let size = WatchFrame.Size(columnCount: 80, rowCount: 40)
        var lines = WatchFrame(facts: facts, size: size, style: style, footer: "").lines
        while lines.last == "" { lines.removeLast() }
        try write(lines.joined(separator: "\n") + "\n")
      } else {
        try write(WatchLine.text(facts) + "\n")
      }
    }
  }

  /// Whoever closed the pipe has seen enough: that ends the command, and is no error.
  private func write(_ text: String) throws {
    guard try ByteStream.output.isTaking(text) else { throw ExitCode.success }
  }
}
