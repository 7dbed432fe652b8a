import CSystemLMDB
import Foundation

@testable import KVDiskTier

/// The pages of a file that is whole, by what they are: where a trial's damage goes. Written without the guard's own
/// walk.
struct GuardFileMap {
  static let pageByteCount = 4096
  let bytes: [UInt8]
  private(set) var treePages: [Int] = []
  /// Pages that hold page numbers of the freelist: leaves of its tree and its runs.
  private(set) var freelistPages: [Int] = []
  private(set) var runPages: [Int] = []

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    let meta = word(0, 144) > word(Self.pageByteCount, 144) ? 0 : Self.pageByteCount
    visit(word(meta, 40 + 40), isFree: true)
    visit(word(meta, 88 + 40), isFree: false)
  }

  func word(_ base: Int, _ offset: Int) -> UInt64 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: base + offset, as: UInt64.self) }
  }

  func half(_ base: Int, _ offset: Int) -> Int {
    bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: base + offset, as: UInt16.self)) }
  }

  private mutating func visit(_ page: UInt64, isFree: Bool) {
    guard page != UInt64.max else { return }
    let base = Int(page) * Self.pageByteCount
    treePages.append(Int(page))
    let isLeaf = half(base, 10) == 2
    if isFree && isLeaf { freelistPages.append(Int(page)) }
    for index in 0..<(half(base, 12) - 16) / 2 {
      let node = half(base, 16 + 2 * index)
      let (low, flags, keyByteCount) = (
        half(base, node) | half(base, node + 2) << 16, half(base, node + 4), half(base, node + 6)
      )
      let value = base + node + 8 + keyByteCount
      if !isLeaf {
        visit(UInt64(low | flags << 32), isFree: isFree)
      } else if flags == 1 {
        let first = Int(word(value, 0))
        runPages.append(first)
        if isFree { freelistPages += first...first + low / Self.pageByteCount }
      } else if flags == 2 {
        visit(word(value, 40), isFree: false)
      }
    }
  }
}

/// One way of damaging a file, the same for the same seed.
enum GuardDamage: String, CaseIterable, Codable, Sendable {
  case treeBit, treeNoise, treeHeader, treeZeroed, treeStale, treeSwapped, freelistBit, freelistNumber, truncation
  case metaBit, metaNoise, runHeaderBit, valueBytes

  /// - Parameter older: the same file some commits earlier.
  func apply(to map: GuardFileMap, older: [UInt8], seed: UInt64) -> [UInt8] {
    var numbers = SeededNumbers(seed: seed)
    var bytes = map.bytes
    let size = GuardFileMap.pageByteCount
    func any(_ pages: [Int]) -> Int { pages.randomElement(using: &numbers)! * size }
    func flip(_ range: Range<Int>) {
      bytes[Int.random(in: range, using: &numbers)] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
    }
    func noise(_ range: Range<Int>) {
      for _ in 0..<16 { bytes[Int.random(in: range, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers) }
    }
    switch self {
    case .treeBit:
      let page = any(map.treePages)
      flip(page..<page + size)
    case .treeNoise:
      let page = any(map.treePages)
      noise(page..<page + size)
    case .treeHeader:
      // Where structure lies: the header and the node offsets.
      let page = any(map.treePages)
      flip(page..<page + map.half(page, 12))
    case .treeZeroed:
      let page = any(map.treePages)
      for offset in page..<page + size { bytes[offset] = 0 }
    case .treeStale:
      let pages = map.treePages.filter { ($0 + 1) * size <= older.count && stale($0, map, older) }
      guard !pages.isEmpty else { break }
      let page = any(pages)
      bytes.replaceSubrange(page..<page + size, with: older[page..<page + size])
    case .treeSwapped:
      // A misdirected write: another tree page's bytes under this page's number.
      let (page, source) = (any(map.treePages), any(map.treePages))
      bytes.replaceSubrange(page + 8..<page + size, with: map.bytes[source + 8..<source + size])
    case .freelistBit:
      let page = any(map.freelistPages)
      flip(page..<page + size)
    case .freelistNumber:
      let page = any(map.freelistPages)
      let offset = page + Int.random(in: 2..<size / 8, using: &numbers) * 8
      flip(offset..<offset + 3)
    case .truncation:
      bytes.removeLast(Int.random(in: 1...bytes.count, using: &numbers))
    case .metaBit:
      let page = Bool.random(using: &numbers) ? 0 : size
      flip(page..<page + 152)
    case .metaNoise:
      let page = Bool.random(using: &numbers) ? 0 : size
      noise(page..<page + 152)
    case .runHeaderBit:
      let page = any(map.runPages)
      flip(page..<page + 16)
    case .valueBytes:
      let page = any(map.runPages)
      noise(page + 16..<page + size)
    }
    return bytes
  }

  private func stale(_ page: Int, _ map: GuardFileMap, _ older: [UInt8]) -> Bool {
    let range = page * GuardFileMap.pageByteCount..<(page + 1) * GuardFileMap.pageByteCount
    return older[range] != map.bytes[range]
  }
}

/// Uses a file through LMDB as a store would. Codes that LMDB returns are fine; what must not happen is a crash.
enum GuardUse {
  static func read(_ directory: String) { open(directory) { environment in readAll(environment) } }

  static func readThenWrite(_ directory: String) {
    open(directory) { environment in
      readAll(environment)
      for round in 0..<4 { writeSome(environment, round: round) }
    }
  }

  private static func open(_ directory: String, _ body: (OpaquePointer) -> Void) {
    unlink(directory + "/lock.mdb")
    var environment: OpaquePointer?
    guard mdb_env_create(&environment) == 0, let environment else { return }
    defer { mdb_env_close(environment) }
    mdb_env_set_mapsize(environment, 1 << 30)
    mdb_env_set_maxdbs(environment, 16)
    guard mdb_env_open(environment, directory, UInt32(MDB_NOTLS | MDB_NOSYNC), 0o644) == 0 else { return }
    body(environment)
  }

  private static func tables(_ transaction: OpaquePointer) -> [MDB_dbi] {
    GuardFixture.Table.allCases.compactMap { table in
      var handle: MDB_dbi = 0
      return mdb_dbi_open(transaction, table.name, 0, &handle) == 0 ? handle : nil
    }
  }

  private static func readAll(_ environment: OpaquePointer) {
    var transaction: OpaquePointer?
    guard mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction) == 0, let transaction else { return }
    defer { mdb_txn_abort(transaction) }
    var sum: UInt64 = 0
    for table in tables(transaction) {
      for (first, next) in [(MDB_FIRST, MDB_NEXT), (MDB_LAST, MDB_PREV)] {
        var cursor: OpaquePointer?
        guard mdb_cursor_open(transaction, table, &cursor) == 0 else { return }
        var (key, value) = (MDB_val(), MDB_val())
        var code = mdb_cursor_get(cursor, &key, &value, first)
        var count = 0
        while code == 0, count < 1_000_000 {
          for bytes in [key, value] where bytes.mv_size > 0 {
            let raw = UnsafeRawBufferPointer(start: bytes.mv_data, count: bytes.mv_size)
            for offset in stride(from: 0, to: raw.count, by: 1024) { sum &+= UInt64(raw[offset]) }
            sum &+= UInt64(raw[raw.count - 1])
          }
          var found = MDB_val()
          _ = mdb_get(transaction, table, &key, &found)
          code = mdb_cursor_get(cursor, &key, &value, next)
          count += 1
        }
        mdb_cursor_close(cursor)
      }
    }
    withExtendedLifetime(sum) {}
  }

  /// Deletes a third of everything, or puts as much anew: pages are freed, taken again, merged and split.
  private static func writeSome(_ environment: OpaquePointer, round: Int) {
    var transaction: OpaquePointer?
    guard mdb_txn_begin(environment, nil, 0, &transaction) == 0, let transaction else { return }
    for (table, handle) in zip(GuardFixture.Table.allCases, tables(transaction)) {
      if round % 2 == 0 {
        var cursor: OpaquePointer?
        guard mdb_cursor_open(transaction, handle, &cursor) == 0 else { continue }
        var (key, value) = (MDB_val(), MDB_val())
        var count = 0
        while mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0, count < 1_000_000 {
          if count % 3 != 0, mdb_cursor_del(cursor, 0) != 0 { break }
          count += 1
        }
        mdb_cursor_close(cursor)
      } else {
        for number in 0..<300 {
          var key = table.key(UInt64(round * 1_000_000 + number))
          var bytes = [UInt8](repeating: 0, count: table == .extents ? 65_520 : (table == .recency ? 0 : 700))
          let code = key.withUnsafeMutableBytes { key in
            bytes.withUnsafeMutableBytes { bytes in
              var k = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
              var v = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
              return mdb_put(transaction, handle, &k, &v, 0)
            }
          }
          if code != 0 { break }
        }
      }
    }
    _ = mdb_txn_commit(transaction)
  }
}
