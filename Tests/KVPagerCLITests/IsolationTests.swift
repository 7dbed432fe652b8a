import Foundation
import Testing

/// The work is done in a child process, so that a file which is cut off under it, or a crash, ends in words.
struct IsolationTests {
  /// An export to a pipe that nobody reads: it has the store open and waits. One block of RAM, so that it goes on
  /// reading the store when the pipe is read.
  private func startExport(_ folder: Folder) throws -> RunningTool {
    let tool = try RunningTool([
      "export", "-", "--session", "chat", "--store", folder.store, "--memory", "1474560",
    ])
    try tool.awaitOutput()
    return tool
  }

  private func makeStore() throws -> Folder {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    return folder
  }

  @Test func `a file that is cut off while it is read ends in words`() throws {
    let folder = try makeStore()
    let tool = try startExport(folder)
    try #require(truncate("\(folder.store)/data.mdb", 64 << 10) == 0)
    let (ending, _, error) = try tool.finish()
    #expect(ending == .exit(1))
    #expect(error.hasPrefix("kvpager: the store's file could not be read while it was mapped (SIGBUS)"), "\(error)")
    #expect(error.contains("kvpager verify"))
    #expect(error.split(separator: "\n").count == 1)
    #expect(tool.isGroupGone())
  }

  @Test func `a crash of the child ends in words, whichever signal it was`() throws {
    let folder = try makeStore()
    for (number, word) in [(SIGSEGV, "SIGSEGV"), (SIGABRT, "SIGABRT"), (SIGILL, "SIGILL"), (SIGKILL, "SIGKILL")] {
      let tool = try startExport(folder)
      let children = try tool.children()
      try #require(children.count == 1, "one child does the work")
      kill(children[0], number)
      let (ending, _, error) = try tool.finish()
      #expect(ending == .exit(1))
      #expect(error.hasPrefix("kvpager: ") && error.contains(word), "\(error)")
      // What crashed would crash again: the remedy reads the file without LMDB.
      if number != SIGKILL { #expect(error.contains("kvpager salvage DIR --list"), "\(error)") }
    }
    // The store is none the worse for it.
    #expect(try CommandLineTool.run(["verify", "--deep", "--store", folder.store]).text.contains("sound"))
  }

  @Test func `Ctrl-C ends both processes, and the shell sees it`() throws {
    let folder = try makeStore()
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let tool = try startExport(folder)
      // The terminal sends it to the whole process group.
      kill(-tool.processID, number)
      let (ending, _, error) = try tool.finish()
      #expect(ending == .signal(number))
      #expect(error.isEmpty, "\(error)")
      #expect(tool.isGroupGone())
    }
  }

  @Test func `what the parent alone is asked, the child is told`() throws {
    let folder = try makeStore()
    for number in [SIGTERM, SIGINT, SIGHUP] {
      let tool = try startExport(folder)
      kill(tool.processID, number)
      #expect(try tool.finish().ending == .signal(number))
      #expect(tool.isGroupGone())
    }
  }

  @Test func `a parent that is killed takes its child with it`() throws {
    let folder = try makeStore()
    let tool = try startExport(folder)
    #expect(try tool.children().count == 1)
    kill(tool.processID, SIGKILL)
    #expect(try tool.finish().ending == .signal(SIGKILL))
    #expect(tool.isGroupGone())
  }

  @Test func `what needs no store starts no child, and a child starts none`() throws {
    let folder = try makeStore()
    let tool = try startExport(folder)
    let child = try #require(try tool.children().first)
    let grandchildren = try CommandLineTool.shell("ps -A -o ppid= | grep -cw \(child)", expecting: nil).text
    #expect(grandchildren == "0\n")
    // The variable by which a child knows its parent means nothing to a process that somebody else started.
    for value in ["", "7", "7:7", "0:0", "-1:0", "99999999999:1"] {
      let outcome = try CommandLineTool.run(
        ["sessions", "--store", folder.store], environment: ["KVPAGER_PARENT": value])
      #expect(outcome.text.contains("chat"))
    }
    _ = try tool.finish()
  }

  #if os(Linux)
    @Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
    func `a process that was started without streams has no file of the store in their place`(closed: String) throws {
      let folder = try makeStore()
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = [
        "-c", "exec \"$0\" watch --interval 60s --store \"$1\" \(closed)", CommandLineTool.path, folder.store,
      ]
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      defer { process.waitUntilExit() }
      // Whatever signals the tests' own thread blocks.
      defer { kill(process.processIdentifier, SIGKILL) }
      var files: [String: String] = [:]
      for _ in 0..<3000 where !files.values.contains(where: { $0.hasSuffix("/data.mdb") }) {
        usleep(10_000)
        guard let child = try RunningProcess.children(of: process.processIdentifier).first else { continue }
        files = RunningProcess.files(of: child)
      }
      try #require(files.values.contains { $0.hasSuffix("/data.mdb") }, "it looks at the store: \(files)")
      for number in ["0", "1", "2"] { #expect(files[number] == "/dev/null", "\(files)") }
    }
  #endif

  @Test func `the exit status and both streams are the child's`() throws {
    let folder = try makeStore()
    let tool = try startExport(folder)
    let (ending, bytes, error) = try tool.finish()
    #expect(ending == .exit(0))
    #expect(try bytes == Samples.bytes(Samples.long))
    #expect(error.contains("512 tokens") || error.isEmpty)
    try CommandLineTool.run(["session", "nobody", "--store", folder.store], expecting: 1)
    try CommandLineTool.run(["session", "--store", folder.store], expecting: 2)
  }
}
