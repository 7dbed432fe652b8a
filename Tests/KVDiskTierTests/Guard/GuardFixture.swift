import CSystemLMDB
import Foundation

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A directory of the test's own, removed with it.
final class ScratchDirectory: Sendable {
  let path: String
  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-guard-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  var dataFile: String { path + "/data.mdb" }
}

struct LMDBFailure: Error { let code: Int32 }

func lmdb(_ code: Int32) throws { if code != 0 { throw LMDBFailure(code: code) } }

/// A real LMDB environment with tables like a store's: records under hashes, extents under integers, bare keys.
final class GuardFixture: @unchecked Sendable {  // because: each test uses it from one thread at a time
  enum Table: Int, CaseIterable {
    case records, extents, recency, counters

    var name: String { "\(self)" }
    var flags: UInt32 { self == .extents || self == .counters ? UInt32(MDB_INTEGERKEY) : 0 }

    func key(_ number: UInt64) -> [UInt8] {
      var numbers = SeededNumbers(seed: number)
      switch self {
      case .records: return [0, 0, 0, 1] + (0..<4).flatMap { _ in withUnsafeBytes(of: numbers.next(), Array.init) }
      case .extents: return withUnsafeBytes(of: number << 8 | 3, Array.init)
      case .recency:
        return (0..<Int(number % 60) / 8 + 1).flatMap { _ in withUnsafeBytes(of: numbers.next(), Array.init) }
      case .counters: return withUnsafeBytes(of: UInt32(truncatingIfNeeded: number), Array.init)
      }
    }

    func valueByteCount(_ numbers: inout SeededNumbers) -> Int {
      switch self {
      case .records: Int.random(in: 60...900, using: &numbers)
      case .extents: [4080, 65_520, 131_056, 262_128, 20_000][Int.random(in: 0..<5, using: &numbers)]
      case .recency: 0
      case .counters: [8, 2_000, 2_030, 2_040, 5_000][Int.random(in: 0..<5, using: &numbers)]
      }
    }
  }

  let directory: ScratchDirectory
  private let environment: OpaquePointer
  private var tables: [MDB_dbi] = []
  private var live: [[UInt64]] = Array(repeating: [], count: Table.allCases.count)
  private var nextNumber: UInt64 = 1
  private var numbers: SeededNumbers

  init(seed: UInt64, directory: ScratchDirectory = ScratchDirectory(), flags: Int32 = MDB_NOSYNC) throws {
    self.directory = directory
    numbers = SeededNumbers(seed: seed)
    var created: OpaquePointer?
    try lmdb(mdb_env_create(&created))
    environment = created!
    try lmdb(mdb_env_set_mapsize(environment, 1 << 34))
    try lmdb(mdb_env_set_maxdbs(environment, 16))
    try lmdb(mdb_env_open(environment, directory.path, UInt32(flags | MDB_NOTLS), 0o644))
  }

  deinit { mdb_env_close(environment) }

  func makeTables() throws {
    try write { transaction in
      for table in Table.allCases {
        var handle: MDB_dbi = 0
        try lmdb(mdb_dbi_open(transaction, table.name, UInt32(MDB_CREATE) | table.flags, &handle))
        tables.append(handle)
      }
    }
  }

  func write(_ body: (OpaquePointer) throws -> Void) throws {
    var transaction: OpaquePointer?
    try lmdb(mdb_txn_begin(environment, nil, 0, &transaction))
    do { try body(transaction!) } catch {
      mdb_txn_abort(transaction)
      throw error
    }
    try lmdb(mdb_txn_commit(transaction))
  }

  func put(
    _ table: Table, _ number: UInt64, byteCount: Int, in transaction: OpaquePointer, flags: Int32 = 0
  ) throws {
    var key = table.key(number)
    var value = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: byteCount)
    try key.withUnsafeMutableBytes { key in
      try value.withUnsafeMutableBytes { value in
        var k = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
        var v = MDB_val(mv_size: value.count, mv_data: value.baseAddress)
        try lmdb(mdb_put(transaction, tables[table.rawValue], &k, &v, UInt32(flags)))
      }
    }
  }

  func delete(_ table: Table, _ number: UInt64, in transaction: OpaquePointer) throws {
    var key = table.key(number)
    try key.withUnsafeMutableBytes { key in
      var k = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
      let code = mdb_del(transaction, tables[table.rawValue], &k, nil)
      if code != MDB_NOTFOUND { try lmdb(code) }
    }
  }

  /// One transaction of random puts, replacements and deletions; each table stays near `liveCount` entries.
  /// - Parameter leavesLongRuns: replaces values that the same transaction wrote, whose runs LMDB keeps though they
  ///   are too long.
  func churn(operationCount: Int, liveCount: Int, extentCount: Int, leavesLongRuns: Bool = false) throws {
    var isWritten: Set<UInt64> = []
    try write { transaction in
      for _ in 0..<operationCount {
        let table = Table.allCases.randomElement(using: &numbers)!
        let limit = table == .extents ? extentCount : liveCount
        let index = live[table.rawValue].indices.randomElement(using: &numbers)
        let roll = Int.random(in: 0..<limit * 2, using: &numbers)
        if let index, roll < live[table.rawValue].count {
          try delete(table, live[table.rawValue].remove(at: index), in: transaction)
        } else if let index, roll % 5 == 0 {
          let number = live[table.rawValue][index]
          guard isWritten.insert(number).inserted || leavesLongRuns else { continue }
          try put(table, number, byteCount: table.valueByteCount(&numbers), in: transaction)
        } else {
          try put(table, nextNumber, byteCount: table.valueByteCount(&numbers), in: transaction)
          isWritten.insert(nextNumber)
          live[table.rawValue].append(nextNumber)
          nextNumber += 1
        }
      }
    }
  }
}
