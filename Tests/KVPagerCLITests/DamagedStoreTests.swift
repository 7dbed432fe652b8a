import Foundation
import Testing

/// A store whose file was changed behind everyone's back: each command works or refuses with the reason, and no export
/// ever holds a wrong byte.
struct DamagedStoreTests {
  /// Small blocks, so that a small file has every kind of page: trees with branches, runs, free pages.
  private func makeStore(_ folder: Folder) throws -> [String: Data] {
    try folder.importSample(Samples.quantized, as: "gone", "--block-tokens", "8", "--model", "other")
    try folder.importSample(Samples.quantized, as: "chat", "--block-tokens", "8")
    try CommandLineTool.run(["delete", "gone", "--store", folder.store])
    try CommandLineTool.run(["fork", "chat", "--as", "half", "--tokens", "20", "--store", folder.store])
    try CommandLineTool.run(["export", folder.file("half"), "--session", "half", "--store", folder.store])
    return ["chat": try Samples.bytes(Samples.quantized), "half": try folder.bytes("half")]
  }

  /// Runs the commands on the folder's damaged store; every outcome but a clean one or a refusal is an issue.
  private func tryCommands(_ folder: Folder, whole: [String: Data], _ comment: String, _ number: Int) throws -> Bool {
    var refused = false
    func run(_ arguments: [String]) throws -> CommandLineTool.Outcome {
      let outcome = try CommandLineTool.run(arguments + ["--store", folder.store], expecting: nil)
      #expect(
        (0...1).contains(outcome.status), "\(comment): \(arguments) ended with \(outcome.status): \(outcome.error)")
      // A finding is told on standard output, an error on standard error; nothing fails without a word.
      #expect(outcome.status == 0 || !outcome.error.isEmpty || !outcome.output.isEmpty, "\(comment): \(arguments)")
      refused = refused || outcome.status == 1
      return outcome
    }
    for (session, bytes) in whole {
      let outcome = try run(["export", folder.file("out"), "--force", "--session", session])
      guard outcome.status == 0 else { continue }
      #expect(try folder.bytes("out") == bytes, "\(comment): \(session) came out with wrong bytes")
    }
    let readers = [["info"], ["stats", "--json"], ["sessions"], ["session", "chat", "--json"], ["verify", "--deep"]]
    _ = try run(readers[number % readers.count])
    let writers = [
      ["gc", "--quota", "100KiB"], ["fork", "chat", "--as", "fork"], ["delete", "half"],
      ["import", Samples.path(Samples.quantized), "--session", "new", "--block-tokens", "8"],
    ]
    if (try? run(writers[number % writers.count]).status) == 0 {
      // What a writer made of it is not worse than before.
      for (session, bytes) in whole {
        let outcome = try run(["export", folder.file("out"), "--force", "--session", session])
        guard outcome.status == 0 else { continue }
        #expect(try folder.bytes("out") == bytes, "\(comment): \(session) has wrong bytes after a writer")
      }
    }
    return refused
  }

  /// KVPAGER_LONG=1 tries twenty times as many.
  @Test func `a flipped bit or a torn page anywhere is refused or harmless, whatever the command`() throws {
    let folder = try Folder()
    let whole = try makeStore(folder)
    let healthy = try folder.bytes("store/data.mdb")
    let count = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 60 : 1200
    var refusedCount = 0
    for seed in 0..<count {
      var random = Seeded(state: UInt64(seed))
      let (damaged, what) = Self.damaged(healthy, &random)
      try damaged.write(to: URL(fileURLWithPath: folder.file("store/data.mdb")))
      if try tryCommands(folder, whole: whole, "seed \(seed), \(what)", seed) { refusedCount += 1 }
    }
    #expect(refusedCount > count / 4, "damage is met, not missed: \(refusedCount) of \(count)")
    try healthy.write(to: URL(fileURLWithPath: folder.file("store/data.mdb")))
    try CommandLineTool.run(["verify", "--deep", "--store", folder.store])
  }

  private static func damaged(_ healthy: Data, _ random: inout Seeded) -> (Data, String) {
    var bytes = healthy
    let pageCount = healthy.count / 4096
    // Tree pages are few among the runs: every other try is aimed at one.
    let trees = (0..<pageCount).filter { healthy[$0 * 4096 + 10] & 0x03 != 0 && healthy[$0 * 4096 + 11] == 0 }
    let isAimed = Bool.random(using: &random)
    let page = isAimed ? trees.randomElement(using: &random) ?? 0 : Int.random(in: 0..<pageCount, using: &random)
    let offset = page * 4096 + Int.random(in: 0..<4096, using: &random)
    switch Int.random(in: 0..<8, using: &random) {
    case 0:
      let other = Int.random(in: 0..<pageCount, using: &random)
      bytes.replaceSubrange(page * 4096..<(page + 1) * 4096, with: healthy[other * 4096..<(other + 1) * 4096])
      return (bytes, "page \(page) written over with page \(other)")
    case 1:
      bytes.resetBytes(in: page * 4096..<(page + 1) * 4096)
      return (bytes, "page \(page) zeroed")
    case 2:
      return (bytes.prefix(offset), "cut off at \(offset)")
    default:
      bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      return (bytes, "a bit flipped at \(offset)")
    }
  }
}

private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
