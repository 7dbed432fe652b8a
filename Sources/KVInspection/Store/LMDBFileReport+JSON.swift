import KVBlocks
import KVDiskTier

extension LMDBFileReport: JSONConvertible {
  package var json: JSONValue {
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
      "unreachablePages": .unsigned(unreachablePageCount), "bytesRead": .unsigned(byteCountRead),
      "tables": .array(tables), "findings": .array(findings.map { .string($0.description) }),
    ]
  }
}
