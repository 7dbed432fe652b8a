import KVBlocks
import KVDiskTier

/// Something wrong with a store.
package struct VerifyFinding: Hashable, Sendable, CustomStringConvertible {
  /// What found it, and what kind of thing it is: `file` for LMDB's own structure, else a kind of the audit.
  package var kind: String
  package var block: BlockKey?
  package var session: String?
  package var message: String

  package var description: String { message }
}

/// What `verify` says of a store.
package struct VerifyReport: Hashable, Sendable {
  package var path: String
  package var isDeep: Bool
  /// The guard's report; nil where the file's meta pages cannot be followed.
  package var file: LMDBFileReport?
  package var findings: [VerifyFinding]
  /// What the file's raw bytes still hold, where the store does not open.
  package var salvageable: RawStoreReport?

  package var isSound: Bool { findings.isEmpty }
  /// The store opens: what is wrong concerns single blocks and sessions.
  package var isUsable: Bool { salvageable == nil }
}

extension VerifyReport: JSONConvertible {
  package var json: JSONValue {
    [
      "path": .string(path), "deep": .bool(isDeep), "sound": .bool(isSound), "usable": .bool(isUsable),
      "findings": JSONValue(findings), "file": file?.json ?? .null, "salvageable": salvageable?.json ?? .null,
    ]
  }
}

extension VerifyFinding: JSONConvertible {
  package var json: JSONValue {
    [
      "kind": .string(kind), "block": JSONValue(block?.hash.description),
      "space": block.map { .unsigned(UInt64($0.space.rawValue)) } ?? .null, "session": JSONValue(session),
      "message": .string(message),
    ]
  }
}
