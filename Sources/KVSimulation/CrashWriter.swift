import KVBlocks
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A process that writes sessions for ever, saying in a log what is committed, until something kills it.
///
/// The log is a file of lines `C name count` (committed) and `D name` (about to be deleted), each written whole before
/// the next operation begins. What a session's tokens are follows from its name, so that a reader needs no more than
/// the log.
package struct CrashWriter {
  package let rig: Rig
  package let logPath: String

  package init(rig: Rig, logPath: String) {
    self.rig = rig
    self.logPath = logPath
  }

  /// A few system prompts, then the session's own tokens.
  package static func tokens(of name: String, count: Int) -> [Token] {
    let seed = name.utf8.reduce(UInt64(17)) { SplitMix64.mix($0 ^ UInt64($1)) }
    var own = SplitMix64(seed: seed)
    return (0..<count).map { position in
      position < 50 ? Token(position) + Token(seed % 3) * 1000 : Token.random(in: 0..<30_000, using: &own)
    }
  }

  /// Never returns, except by an error. With a quota it also passes by with cache blocks that the quota deletes, and
  /// collects garbage.
  package func run(seed: UInt64, quotaBytes: Int? = nil) throws {
    let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    var random = SplitMix64(seed: seed)
    let store = try rig.open(blocks: 6, quotaBytes: quotaBytes)
    let space = try rig.space(store)
    var number = 0
    while true {
      let name = "p\(seed)-\(number % 9)"
      number += 1
      if try space.sessions().contains(where: { $0.name == name }) {
        Self.writeLine("D \(name)", to: log)
        try space.deleteSession(named: name)
      }
      if quotaBytes != nil {
        // Tokens of no seed: what passes by is new in each run.
        let start = Int.random(in: 0..<1_000_000)
        try rig.append(
          (start..<start + 120).map { Token($0) }, to: space.createSession(named: "passing \(name)"))
        if number % 4 == 0 { _ = try store.collectGarbage() }
      }
      let session = try space.createSession(named: name)
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        let count = session.tokenCount
        let more = Int.random(in: 1...60, using: &random)
        try rig.append(Array(Self.tokens(of: name, count: count + more)[count...]), to: session)
        try session.commit()
        Self.writeLine("C \(name) \(session.tokenCount)", to: log)
      }
    }
  }

  private static func writeLine(_ line: String, to log: Int32) {
    var bytes = Array("\(line)\n".utf8)
    let written = write(log, &bytes, bytes.count)
    precondition(written == bytes.count, "the log is written whole")
  }

  /// The tokens that each session must have at least, from the log's whole lines. A session whose deletion had begun is
  /// left out.
  package static func promises(in log: String) -> [String: Int] {
    var promised: [String: Int] = [:]
    for line in log.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 3, words[0] == "C", let count = Int(words[2]) { promised[String(words[1])] = count }
      if words.count == 2, words[0] == "D" { promised[String(words[1])] = nil }
    }
    return promised
  }
}
