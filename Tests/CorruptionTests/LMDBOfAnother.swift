import SafeLMDB

/// An LMDB file with a table of some other program's.
enum LMDBOfAnother {
  static func make(at path: String) throws {
    let environment = try Environment(path: path, options: EnvironmentOptions(mapByteCount: 1 << 24))
    try environment.write { (transaction: inout WriteTransaction) throws(LMDBError) in
      guard let table = try transaction.openTable("people", create: true) else { return }
      for index in 0..<500 {
        let key = Array("person \(index)".utf8)
        let value = Array("a name of some length, \(index * index)".utf8)
        try transaction.put(key.span.bytes, value.span.bytes, in: table)
      }
    }
    environment.close()
  }
}
