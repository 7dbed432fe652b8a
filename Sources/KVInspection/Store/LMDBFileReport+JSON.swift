import KVBlocks
import KVDiskTier

extension LMDBFileReport: JSONConvertible {
  package var json: JSONValue {
    .object(
      members.merging([
        "bytesRead": .unsigned(byteCountRead), "findings": .array(findings.map { .string($0.description) }),
      ]) { $1 })
  }

  /// The file and LMDB's tables, without the guard's own business.
  var lmdbJSON: JSONValue { .object(members) }

  private var members: [String: JSONValue] {
    let tables = tables.map { table -> JSONValue in
      [
        "name": .string(table.name), "entries": .unsigned(table.entryCount), "depth": .integer(table.depth),
        "branchPages": .unsigned(table.branchPageCount), "leafPages": .unsigned(table.leafPageCount),
        "overflowPages": .unsigned(table.overflowPageCount),
      ]
    }
    return [
      "bytes": .unsigned(fileByteCount), "pageBytes": .integer(pageByteCount), "lastPage": .unsigned(lastPage),
      "transaction": .unsigned(transactionID), "freePages": .unsigned(freePageCount),
      "unreachablePages": .unsigned(unreachablePageCount), "treePages": .unsigned(treePageCount),
      "tables": .array(tables),
    ]
  }
}
