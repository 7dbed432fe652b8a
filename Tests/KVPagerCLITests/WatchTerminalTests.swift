import Foundation
import KVPager
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A process that uses a store at full speed until a file appears.
private func useStore(_ path: String, until stop: String) throws -> Never {
  let planes = [Plane.Kind.keys, .values].map { PlaneLayout(Plane($0, layer: 0), elementType: .bf16, rowByteCount: 64) }
  let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
  let store = try Store(
    at: path, configuration: StoreConfiguration(memoryBudgetBytes: 1 << 20, diskQuotaBytes: 1 << 30))
  let space = try store.cacheSpace(for: ModelFingerprint(model: "watched"), layout: layout)
  var number: Token = 0
  while access(stop, F_OK) != 0 {
    let session = try space.createSession(named: "chat \(number)")
    let tokens = (0..<40).map { $0 < 32 ? $0 : number &* 64 &+ $0 }
    try session.append(tokens) { writer in
      for plane in layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rows in
          _ = rows.initializeMemory(as: UInt8.self, repeating: UInt8(plane))
        }
      }
    }
    try session.commit()
    _ = try session.lease().tokenCount
    _ = try space.longestPrefix(of: tokens).lease().tokenCount
    number += 1
  }
  try store.close()
  exit(0)
}

@Suite(.serialized) struct WatchTerminalTests {
  private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
  private static let leave = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

  /// Runs `body` while another process uses the folder's store.
  ///
  /// `body` waits for processes, so it has a thread of its own: the tests' few are all in use, and the other process's
  /// test may wait long for one.
  private func whileStoreIsUsed(_ body: @escaping @Sendable (String) throws -> Void) async throws {
    let folder = try Folder()
    let (path, stop) = (folder.store, folder.file("stop"))
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(processExitsWith: .success) { [path = path as String, stop = stop as String] in
          try useStore(path, until: stop)
        }
      }
      while !folder.exists("store/activity") { try? await Task.sleep(for: .milliseconds(20)) }
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        let thread = Thread {
          do { try body(path) } catch { Issue.record(error) }
          done.resume()
        }
        thread.start()
      }
      try? folder.write(Data(), to: "stop")
    }
  }

  private func watch(_ store: String, _ terminal: PseudoTerminal, _ arguments: String...) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLineTool.path)
    process.arguments = ["watch", "--store", store] + arguments
    process.environment = ["TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"]
    process.standardInput = terminal.slave
    process.standardOutput = terminal.slave
    process.standardError = terminal.slave
    try process.run()
    return process
  }

  /// The figure in the column NOW.
  private func now(_ name: String, _ terminal: PseudoTerminal) -> String? {
    let row = terminal.screen.values.first { $0.hasPrefix(name) }
    return row?.dropFirst(name.count).split(separator: " ").first.map(String.init)
  }

  @Test func `a terminal shows a store in use and is given back at q`() async throws {
    try await whileStoreIsUsed { store in
      let terminal = try #require(PseudoTerminal(columns: 80, rows: 24))
      let modes = terminal.localModes
      let process = try watch(store, terminal, "--interval", "200ms")
      let isBusy = terminal.read {
        guard let commits = now("commits", terminal), let hits = now("RAM hits", terminal) else { return false }
        return commits != "0" && commits != "-" && hits != "0" && hits != "-"
      }
      #expect(isBusy, "\(terminal.text)")
      #expect(terminal.text.hasPrefix(Self.enter))
      #expect(terminal.screen[24]?.hasPrefix("q quits") == true, "\(terminal.screen)")
      #expect(terminal.screen[3]?.hasPrefix("quota") == true, "\(terminal.screen)")
      #expect(terminal.localModes & tcflag_t(ICANON | ECHO) == 0)
      // A smaller window is drawn anew at once.
      terminal.resize(columns: 60, rows: 15)
      kill(process.processIdentifier, SIGWINCH)
      #expect(terminal.read { terminal.screen[15]?.hasPrefix("q quits") == true && terminal.screen[16] == nil })
      terminal.press("xq")
      #expect(terminal.read { !process.isRunning })
      process.waitUntilExit()
      terminal.take()
      #expect(process.terminationReason == .exit && process.terminationStatus == 0)
      #expect(terminal.text.hasSuffix(Self.leave), "\(terminal.text.suffix(100))")
      #expect(terminal.localModes == modes)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func `a terminal is given back when a signal ends the view`(number: Int32) async throws {
    try await whileStoreIsUsed { store in
      let terminal = try #require(PseudoTerminal(columns: 80, rows: 24))
      let modes = terminal.localModes
      let process = try watch(store, terminal)
      #expect(terminal.read { terminal.screen[24]?.hasPrefix("q quits") == true }, "\(terminal.text)")
      kill(process.processIdentifier, number)
      #expect(terminal.read { !process.isRunning })
      process.waitUntilExit()
      terminal.take()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(terminal.text.hasSuffix(Self.leave), "\(terminal.text.suffix(100))")
      #expect(terminal.localModes == modes)
    }
  }

  /// A view of a store that nobody uses, once it is drawn.
  private func drawnView(_ folder: Folder, _ terminal: PseudoTerminal) throws -> (Process, child: pid_t) {
    try folder.importSample(Samples.quantized, as: "chat")
    let process = try watch(folder.store, terminal)
    try #require(terminal.read { terminal.screen[24]?.hasPrefix("q quits") == true }, "\(terminal.text)")
    #expect(terminal.localModes & tcflag_t(ICANON | ECHO) == 0)
    return (process, try #require(try RunningProcess.children(of: process.processIdentifier).first))
  }

  @Test(arguments: [SIGKILL, SIGSEGV, SIGBUS])
  func `a terminal is given back when the process that draws the view dies`(number: Int32) throws {
    let (folder, terminal) = (try Folder(), try #require(PseudoTerminal(columns: 80, rows: 24)))
    let modes = terminal.localModes
    let (process, child) = try drawnView(folder, terminal)
    kill(child, number)
    #expect(terminal.read { !process.isRunning })
    process.waitUntilExit()
    terminal.take()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    let after = try #require(terminal.text.range(of: Self.leave, options: .backwards), "\(terminal.text.suffix(300))")
    #expect(terminal.text[after.upperBound...].contains("kvpager: "), "\(terminal.text.suffix(300))")
    #expect(terminal.localModes == modes)
  }

  @Test func `a terminal is given back when the process that was started is killed`() throws {
    let (folder, terminal) = (try Folder(), try #require(PseudoTerminal(columns: 80, rows: 24)))
    let modes = terminal.localModes
    let (process, _) = try drawnView(folder, terminal)
    kill(process.processIdentifier, SIGKILL)
    #expect(terminal.read { terminal.text.hasSuffix(Self.leave) && terminal.localModes == modes })
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
  }

  @Test func `a view that is asked to stop gives the terminal back, stops, and goes on`() throws {
    let (folder, terminal) = (try Folder(), try #require(PseudoTerminal(columns: 80, rows: 24)))
    let modes = terminal.localModes
    let (process, child) = try drawnView(folder, terminal)
    for _ in 0..<3 {
      // The process alone that was started: nobody tells the one that draws.
      kill(process.processIdentifier, SIGTSTP)
      #expect(
        terminal.read { RunningProcess.isStopped(child) && RunningProcess.isStopped(process.processIdentifier) })
      terminal.take()
      #expect(terminal.text.hasSuffix(Self.leave), "\(terminal.text.suffix(100))")
      #expect(terminal.localModes == modes)
      let count = terminal.output.count
      kill(process.processIdentifier, SIGCONT)
      #expect(
        terminal.read { String(decoding: terminal.output[count...], as: UTF8.self).contains("q quits") },
        "it draws anew")
      #expect(terminal.localModes != modes)
    }
    terminal.press("q")
    #expect(terminal.read { !process.isRunning })
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(terminal.localModes == modes)
  }

  @Test func `a terminal is given back when the store goes away`() async throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let terminal = try #require(PseudoTerminal(columns: 80, rows: 24))
    let modes = terminal.localModes
    let process = try watch(folder.store, terminal, "--interval", "200ms")
    #expect(terminal.read { terminal.screen[24]?.hasPrefix("q quits") == true }, "\(terminal.text)")
    try FileManager.default.removeItem(atPath: folder.store)
    #expect(terminal.read { !process.isRunning })
    process.waitUntilExit()
    terminal.take()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(terminal.text.contains("\(Self.leave)kvpager: "), "\(terminal.text.suffix(300))")
    #expect(terminal.localModes == modes)
  }

  @Test func `elsewhere each look is a line, or an object of JSON`() async throws {
    try await whileStoreIsUsed { store in
      let arguments = ["watch", "--store", store, "--interval", "400ms"]
      let log = try CommandLineTool.run(arguments + ["--count", "3"]).text.split(separator: "\n")
      #expect(log.count == 4)
      #expect(log[0].hasPrefix("    TIME  HIT NOW"))
      #expect(Set(log.map(\.count)).count == 1, "columns under their titles")
      let lines = try CommandLineTool.run(arguments + ["--count", "2", "--json"]).text.split(separator: "\n")
      #expect(lines.count == 2)
      var commits = 0
      for line in lines {
        let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
        let facts = Facts(try #require(value as? [String: Any]))
        #expect(try facts.text("schema") == "kvpager/watch/1")
        #expect(try facts.integer("activity", "total", "sessionCommits") > commits)
        commits = try facts.integer("activity", "total", "sessionCommits")
        #expect(try facts.list("activity", "processes").map { try $0.flag("alive") } == [true])
        #expect(try facts.integer("store", "bytes", "quota") == 1 << 30)
      }
      let once = try CommandLineTool.run(arguments + ["--once"]).text
      #expect(once.hasPrefix("kvpager watch  "))
      #expect(!once.contains("\u{1B}"))
    }
  }

  @Test func `wrong usage is refused with words`() throws {
    for arguments in [["--interval", "1h"], ["--count", "0"], ["--once", "--count", "2"]] {
      let outcome = try CommandLineTool.run(["watch", "--store", "kv"] + arguments, expecting: 2)
      #expect(!outcome.error.isEmpty)
    }
    let missing = try CommandLineTool.run(["watch", "--store", "/nowhere/kv"], expecting: 1)
    #expect(missing.error.contains("there is no store"))
  }
}
