import Foundation
import Testing

struct CompactTests {
  /// A store that was used, and nothing beside it.
  private static let files = ["activity", "data.mdb", "lock.mdb"]

  /// A store whose file is mostly free pages: two sessions deleted, and their blocks too.
  private func makeStore(_ more: Int = 2) throws -> Folder {
    let folder = try Folder()
    for number in 0..<more {
      try folder.importSample(Samples.quantized, as: "gone \(number)", "--model", "other \(number)")
    }
    try folder.importSample(Samples.quantized, as: "chat")
    for number in 0..<more { try CommandLineTool.run(["delete", "gone \(number)", "--store", folder.store]) }
    try CommandLineTool.run(["gc", "--quota", "700KiB", "--store", folder.store])
    return folder
  }

  private func expectWhole(_ folder: Folder, _ store: String, at location: SourceLocation = #_sourceLocation) throws {
    let text = try CommandLineTool.run(["verify", "--deep", "--store", store], location).text
    #expect(text.contains("is sound"), "\(text)", sourceLocation: location)
    try CommandLineTool.run(
      ["export", folder.file("out"), "--force", "--session", "chat", "--store", store], location)
    #expect(try folder.bytes("out") == Samples.bytes(Samples.quantized), sourceLocation: location)
  }

  private func byteCount(_ folder: Folder, _ name: String = "store/data.mdb") throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: folder.file(name))[.size] as? Int)
  }

  @Test func `in place the file becomes smaller and the sessions stay`() throws {
    let folder = try makeStore()
    let before = try byteCount(folder)
    let answer = try CommandLineTool.run(["compact", "--store", folder.store, "--json"]).json()
    #expect(try answer.text("schema") == "kvpager/compact/1")
    #expect(try answer.integer("bytes", "before") == before)
    #expect(try answer.integer("bytes", "after") == byteCount(folder))
    #expect(try byteCount(folder) < before / 2)
    #expect(try answer.integer("sessions") == 1)
    #expect(answer.isNull("into"))
    try expectWhole(folder, folder.store)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.store).sorted() == Self.files)
    // A smaller one there is not; writing goes on as ever.
    let again = try CommandLineTool.run(["compact", "--store", folder.store, "--json"]).json()
    #expect(try again.integer("bytes", "before") == again.integer("bytes", "after"))
    try CommandLineTool.run(["fork", "chat", "--as", "fork", "--store", folder.store])
    try expectWhole(folder, folder.store)
  }

  @Test func `the cache goes first where that is asked for`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "gone", "--model", "other")
    try folder.importSample(Samples.quantized, as: "chat")
    try CommandLineTool.run(["delete", "gone", "--store", folder.store])
    let kept = try CommandLineTool.run(["compact", "--store", folder.store, "--json"]).json()
    let dropped = try CommandLineTool.run(["compact", "--drop-cache", "--store", folder.store, "--json"]).json()
    #expect(try kept.integer("blocks", "deleted") == 0)
    #expect(try kept.integer("blocks", "kept") == 2)
    #expect(try dropped.integer("blocks", "deleted") == 1)
    #expect(try dropped.integer("blocks", "kept") == 1)
    #expect(try dropped.integer("bytes", "after") < kept.integer("bytes", "after") * 2 / 3)
    try expectWhole(folder, folder.store)
  }

  @Test func `a copy goes elsewhere, also beside a process that has the store open`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "long")
    try folder.importSample(Samples.quantized, as: "chat")
    let user = try RunningTool(["export", "-", "--session", "long", "--store", folder.store, "--memory", "1474560"])
    try user.awaitOutput()
    let before = try folder.bytes("store/data.mdb")
    let copied = try CommandLineTool.run(["compact", "--store", folder.store, "--into", folder.file("copy")])
    #expect(copied.text.contains("wrote a compacted copy"))
    try expectWhole(folder, folder.file("copy"))
    // In place it would pull the file from under the other's feet.
    let refused = try CommandLineTool.run(["compact", "--store", folder.store], expecting: 1)
    let worker = try #require(try user.children().first)
    #expect(refused.error.contains("(\(worker))") && refused.error.contains("--into"), "\(refused.error)")
    #expect(try folder.bytes("store/data.mdb") == before)
    _ = try user.finish()
    try CommandLineTool.run(["compact", "--store", folder.store])
    // What is there stays.
    let taken = try CommandLineTool.run(
      ["compact", "--store", folder.store, "--into", folder.file("copy")], expecting: 1)
    #expect(taken.error.contains("holds a store already"))
    try CommandLineTool.run(["compact", "--store", folder.store, "--into", "x", "--drop-cache"], expecting: 2)
    try expectWhole(folder, folder.file("copy"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.file("copy")).sorted() == Self.files)
  }

  @Test func `a damaged store is not compacted`() throws {
    let folder = try makeStore()
    let bytes = try folder.bytes("store/data.mdb")
    try folder.write(bytes.prefix(bytes.count / 3), to: "store/data.mdb")
    for more in [[], ["--into", folder.file("copy")]] {
      let refused = try CommandLineTool.run(["compact", "--store", folder.store] + more, expecting: 1)
      #expect(refused.error.contains("damaged"), "\(refused.error)")
    }
    #expect(!folder.exists("copy/data.mdb"))
    #expect(try folder.bytes("store/data.mdb") == bytes.prefix(bytes.count / 3))
  }

  @Test func `a link to a file elsewhere is not exchanged`() throws {
    let folder = try makeStore()
    try FileManager.default.createDirectory(atPath: folder.file("linked"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("linked/data.mdb"), withDestinationPath: folder.file("store/data.mdb"))
    let refused = try CommandLineTool.run(["compact", "--store", folder.file("linked")], expecting: 2)
    #expect(refused.error.contains("is a link"), "\(refused.error)")
  }

  /// KVPAGER_LONG=1 tries twenty times as many.
  @Test func `killed at any moment it leaves the old store or the new one, whole`() throws {
    let count = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 30 : 600
    let folder = try makeStore()
    let large = try folder.bytes("store/data.mdb")
    var random = SystemRandomNumberGenerator()
    var (exchangedCount, leftoverCount) = (0, 0)
    for number in 0..<count {
      try folder.write(large, to: "store/data.mdb")
      let tool = try RunningTool(["compact", "--store", folder.store])
      usleep(UInt32.random(in: 10_000...(number % 3 == 0 ? 90_000 : 250_000), using: &random))
      kill(-tool.processID, SIGKILL)
      _ = try tool.finish()
      #expect(tool.isGroupGone())
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.store)
      if names.contains(where: { $0.hasPrefix("compact-") }) { leftoverCount += 1 }
      if try byteCount(folder) < large.count { exchangedCount += 1 }
      try expectWhole(folder, folder.store)
      try CommandLineTool.run(["compact", "--store", folder.store])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.store).sorted() == Self.files)
    }
    // Kills that all came too early or too late would prove nothing.
    #expect(exchangedCount < count, "some came before the exchange")
    #expect(exchangedCount + leftoverCount > 0, "some came after the beginning")
  }

  @Test func `whoever opens the store meanwhile finds everything in the new file`() throws {
    let folder = try makeStore(1)
    // Forks and compactions, each as often as it gets its turn; a fork waits for the exchange, never loses to it.
    let line = """
      for i in 1 2 3 4 5 6 7 8 9 10; do "$KVPAGER" fork chat --as "fork $i" --store '\(folder.store)' || exit 9; done &
      forks=$!
      for i in 1 2 3 4 5 6 7 8 9 10 11 12; do "$KVPAGER" compact --store '\(folder.store)' 2>/dev/null; done
      wait $forks
      """
    let outcome = try CommandLineTool.shell(line)
    #expect(outcome.error.isEmpty, "\(outcome.error)")
    #expect(outcome.text.contains("compacted"))
    let sessions = try CommandLineTool.run(["sessions", "--store", folder.store, "--json"]).json().list("sessions")
    #expect(try Set(sessions.map { try $0.text("name") }) == Set(["chat"] + (1...10).map { "fork \($0)" }))
    try expectWhole(folder, folder.store)
  }

  @Test func `a lock file that was caught between two files is made anew`() throws {
    let folder = try makeStore(1)
    // As a compaction leaves it that is killed in the middle of the exchange, with another process waiting for it.
    let descriptor = open("\(folder.store)/lock.mdb", O_RDWR)
    try #require(descriptor >= 0)
    var region = flock()
    (region.l_type, region.l_whence, region.l_start, region.l_len) = (Int16(F_WRLCK), Int16(SEEK_SET), 0, 1)
    try #require(fcntl(descriptor, F_SETLK, &region) == 0)
    var magic: UInt32 = 0
    try #require(pwrite(descriptor, &magic, 4, 0) == 4)
    let waiting = try RunningTool(["session", "chat", "--store", folder.store])
    usleep(500_000)
    close(descriptor)
    let (ending, output, error) = try waiting.finish()
    #expect(ending == .exit(0), "\(error)")
    #expect(String(decoding: output, as: UTF8.self).contains("chat"))
    try CommandLineTool.run(["fork", "chat", "--as", "fork", "--store", folder.store])
    try expectWhole(folder, folder.store)
  }

  @Test func `the answer in words and in JSON`() throws {
    let folder = try GoldenAnswer.store()
    try GoldenAnswer.expect("compact-into.txt", ["compact", "--into", "copy"], in: folder)
    try GoldenAnswer.expect("compact.json", ["compact", "--json"], in: folder)
    try GoldenAnswer.expect("compact-drop-cache.txt", ["compact", "--drop-cache"], in: folder)
  }
}
