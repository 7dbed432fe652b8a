import KVBlocks
import SafeLMDB

/// A process that reads the store: while it does, pages freed after its snapshot are not used again.
package struct ReaderFacts: Hashable, Sendable {
  package var processID: Int32
  /// The commit that it reads; nil where it is between two transactions.
  package var snapshot: UInt64?
  /// Commits since that one.
  package var commitsBehind: UInt64?
  /// It died; its slot has been freed now.
  package var isStale: Bool

  init(_ reader: EnvironmentReader, lastCommit: UInt64) {
    processID = reader.processID
    snapshot = reader.snapshot
    commitsBehind = reader.snapshot.map { lastCommit - min($0, lastCommit) }
    isStale = !reader.isAlive
  }
}

extension ReaderFacts: JSONConvertible {
  package var json: JSONValue {
    [
      "processID": .integer(Int(processID)), "snapshot": JSONValue(snapshot), "commitsBehind": JSONValue(commitsBehind),
      "stale": .bool(isStale),
    ]
  }
}
