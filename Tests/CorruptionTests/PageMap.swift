import Foundation

/// What lies where in a sound data file: read by the rules of LMDB's format alone, without the guard, whose judge it
/// is.
struct PageMap {
  enum Use: Hashable {
    case meta(Int)
    case branch(String)
    case leaf(String)
    /// A page of an overflow run: which of the run's pages.
    case run(String, index: Int)
    case free
    case unused

    /// Its kind, for names of cases.
    var name: String {
      switch self {
      case .meta(let index): "meta \(index)"
      case .branch(let table): "branch of \(table)"
      case .leaf(let table): "leaf of \(table)"
      case .run(let table, let index): index == 0 ? "head of a run of \(table)" : "body of a run of \(table)"
      case .free: "free page"
      case .unused: "page of nobody"
      }
    }
  }

  /// A key and its value, where they lie in the file.
  struct Entry {
    let table: String
    let node: Int
    let key: Range<Int>
    /// The value, or the number of the page where it begins.
    let inLeaf: Range<Int>
    let value: Range<Int>
    var isRun: Bool { inLeaf != value }
  }

  static let pageByteCount = 4096
  static let free = "(free)"
  static let main = "(main)"

  let bytes: [UInt8]
  private(set) var uses: [Use]
  private(set) var entries: [Entry] = []
  /// Nodes of branch pages: where each begins, with its key.
  private(set) var branches: [(node: Int, key: Range<Int>, isFirst: Bool)] = []
  let newestMeta: Int

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    uses = Array(repeating: .unused, count: bytes.count / Self.pageByteCount)
    func transaction(_ meta: Int) -> UInt64 { Self.word(bytes, meta * Self.pageByteCount + 144) }
    newestMeta = transaction(0) >= transaction(1) ? 0 : 1
    (uses[0], uses[1]) = (.meta(0), .meta(1))
    let meta = newestMeta * Self.pageByteCount
    walk(Self.word(bytes, meta + 40 + 40), Self.free)
    walk(Self.word(bytes, meta + 88 + 40), Self.main)
    for entry in entries where entry.table == Self.main {
      walk(Self.word(bytes, entry.value.lowerBound + 40), String(decoding: bytes[entry.key], as: UTF8.self))
    }
    for entry in entries where entry.table == Self.free {
      let count = Int(Self.word(bytes, entry.value.lowerBound))
      for index in 0..<count {
        let page = Int(Self.word(bytes, entry.value.lowerBound + 8 + 8 * index))
        if page < uses.count { uses[page] = .free }
      }
    }
  }

  private mutating func walk(_ page: UInt64, _ table: String) {
    guard page != .max else { return }
    let start = Int(page) * Self.pageByteCount
    let isLeaf = half(start + 10) == 2
    uses[Int(page)] = isLeaf ? .leaf(table) : .branch(table)
    for index in 0..<(half(start + 12) - 16) / 2 {
      let node = start + half(start + 16 + 2 * index)
      let key = node + 8..<node + 8 + half(node + 6)
      guard isLeaf else {
        branches.append((node, key, index == 0))
        walk(UInt64(half(node)) | UInt64(half(node + 2)) << 16 | UInt64(half(node + 4)) << 32, table)
        continue
      }
      let byteCount = half(node) | half(node + 2) << 16
      if half(node + 4) & 1 == 0 {
        let value = key.upperBound..<key.upperBound + byteCount
        entries.append(Entry(table: table, node: node, key: key, inLeaf: value, value: value))
      } else {
        let run = Int(Self.word(bytes, key.upperBound))
        let value = run * Self.pageByteCount + 16..<run * Self.pageByteCount + 16 + byteCount
        entries.append(
          Entry(table: table, node: node, key: key, inLeaf: key.upperBound..<key.upperBound + 8, value: value))
        for index in 0...(byteCount + 15) / Self.pageByteCount { uses[run + index] = .run(table, index: index) }
      }
    }
  }

  func half(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }

  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
  }

  /// The last page that anything leads to.
  var lastUsedPage: Int {
    uses.lastIndex {
      switch $0 {
      case .free, .unused: false
      default: true
      }
    } ?? 1
  }

  func pages(_ use: Use) -> [Int] { uses.indices.filter { uses[$0] == use } }
}
