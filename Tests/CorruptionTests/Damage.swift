import KVBlocks

@testable import KVDiskTier

/// One way in which the file is damaged.
struct Damage: Sendable {
  let name: String
  /// What is left may be a sound store of an earlier time, which nothing can tell from one that was never written to.
  let mayGoBack: Bool
  let change: @Sendable (inout [UInt8]) -> Void

  init(_ name: String, mayGoBack: Bool = false, _ change: @escaping @Sendable (inout [UInt8]) -> Void) {
    self.name = name
    self.mayGoBack = mayGoBack
    self.change = change
  }

  static func flip(_ name: String, at offset: Int, bit: Int) -> Damage {
    Damage("\(name): bit \(bit) of byte \(offset)") { $0[offset] ^= 1 << UInt8(bit) }
  }

  static func zero(_ name: String, _ range: Range<Int>) -> Damage {
    Damage("\(name): zeros from \(range.lowerBound) to \(range.upperBound)") { bytes in
      for offset in range { bytes[offset] = 0 }
    }
  }

  static func noise(_ name: String, _ range: Range<Int>) -> Damage {
    Damage("\(name): noise from \(range.lowerBound) to \(range.upperBound)") { bytes in
      var numbers = SeededNumbers(seed: UInt64(range.lowerBound))
      for offset in range { bytes[offset] = UInt8.random(in: 0...255, using: &numbers) }
    }
  }
}

/// All damage of the matrix, in groups that are tried side by side.
struct DamageList {
  enum Group: String, CaseIterable, Sendable {
    case structureFields, keys, recordFields, frameFields, metaPages, treePages, runs, freePages, moves, lostWrites,
      cuts
  }

  private static let pageByteCount = PageMap.pageByteCount
  let fields: FieldMap
  private var map: PageMap { fields.map }

  func damages(_ group: Group) -> [Damage] {
    switch group {
    case .structureFields: fieldDamages { $0 == .structure || $0 == .key || $0 == .open }
    case .keys: keys
    case .recordFields: fieldDamages { Self.isRecord($0) }
    case .frameFields: fieldDamages { Self.isObject($0) && !Self.isRecord($0) }
    case .metaPages: pageDamages { if case .meta = $0 { true } else { false } }
    case .treePages:
      pageDamages { use in
        switch use {
        case .branch, .leaf: true
        default: false
        }
      }
    case .runs: pageDamages { if case .run = $0 { true } else { false } }
    case .freePages: pageDamages { $0 == .free || $0 == .unused }
    case .moves: moves
    case .lostWrites: lostWrites
    case .cuts: cuts
    }
  }

  private static func isObject(_ rule: FieldMap.Rule) -> Bool { if case .object = rule { true } else { false } }
  private static func isRecord(_ rule: FieldMap.Rule) -> Bool {
    if case .object(let kinds, _) = rule { kinds.contains("record") } else { false }
  }

  /// Every field of every kind of record and page: a flipped bit, and zeros or noise.
  private func fieldDamages(_ isWanted: (FieldMap.Rule) -> Bool) -> [Damage] {
    var byName: [String: [FieldMap.Field]] = [:]
    for field in fields.fields where isWanted(field.rule) { byName[field.name, default: []].append(field) }
    var damages: [Damage] = []
    for (name, all) in byName.sorted(by: { $0.key < $1.key }) {
      var numbers = SeededNumbers(seed: UInt64(name.utf8.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude))
      let other = all[Int.random(in: 0..<all.count, using: &numbers)]
      let chosen = isLongRun && all.count > 1 ? [all[0], other] : [other]
      for field in chosen {
        damages.append(
          .flip(
            name, at: Int.random(in: field.range, using: &numbers), bit: Int.random(in: 0..<8, using: &numbers)))
        let isZero = map.bytes[field.range].allSatisfy { $0 == 0 }
        damages.append(isZero ? .noise(name, field.range) : .zero(name, field.range))
      }
    }
    return damages
  }

  /// Bits of keys that leave the order of their table as it is, so that LMDB and the guard find nothing wrong.
  private var keys: [Damage] {
    var damages: [Damage] = []
    for (table, count) in [
      (TableName.sessions, 24), (TableName.blocks, 12), (TableName.extents, 12), (TableName.spaces, 6),
      (TableName.children, 4), (TableName.recency, 4),
    ] {
      let entries = map.entries.filter { $0.table == table }
      var numbers = SeededNumbers(seed: UInt64(entries.count))
      var found: [Damage] = []
      for _ in 0..<10_000 where found.count < count {
        let index = Int.random(in: entries.indices, using: &numbers)
        let offset = Int.random(in: entries[index].key, using: &numbers)
        let bit = Int.random(in: 0..<8, using: &numbers)
        guard keepsOrder(entries, index, flipping: bit, at: offset) else { continue }
        found.append(.flip("key of \(table)", at: offset, bit: bit))
      }
      damages += found
    }
    return damages
  }

  private func keepsOrder(_ entries: [PageMap.Entry], _ index: Int, flipping bit: Int, at offset: Int) -> Bool {
    // Numbers are keys of the machine's own, their greatest byte the last.
    func key(_ index: Int) -> [UInt8] {
      var key = Array(map.bytes[entries[index].key])
      if entries[index].key.contains(offset) { key[offset - entries[index].key.lowerBound] ^= 1 << UInt8(bit) }
      return entries[index].table == TableName.extents ? key.reversed() : key
    }
    return (max(index - 1, 0)..<min(index + 1, entries.count - 1)).allSatisfy {
      key($0).lexicographicallyPrecedes(key($0 + 1))
    }
  }

  /// Pages of each kind, wiped whole, in halves, in a line of noise, in single bits.
  private func pageDamages(_ isWanted: (PageMap.Use) -> Bool) -> [Damage] {
    var damages: [Damage] = []
    for (use, pages) in kinds where isWanted(use) {
      var numbers = SeededNumbers(seed: UInt64(pages[0]))
      let chosen = Set([pages[0], pages[pages.count / 2], pages[pages.count - 1]]).sorted()
      for page in chosen {
        let start = page * Self.pageByteCount
        let middle = start + Self.pageByteCount / 2
        let end = start + Self.pageByteCount
        let line = Int.random(in: start..<end - 64, using: &numbers)
        damages += [
          .zero(use.name, start..<end), .zero(use.name, start..<middle), .zero(use.name, middle..<end),
          .noise(use.name, start..<end), .noise(use.name, line..<line + 64),
          .flip(use.name, at: Int.random(in: start..<end, using: &numbers), bit: 0),
          .flip(use.name, at: Int.random(in: start..<end, using: &numbers), bit: 7),
        ]
      }
    }
    return damages
  }

  /// Pages of each kind; of runs' bodies all further pages are one kind.
  private var kinds: [(use: PageMap.Use, pages: [Int])] {
    var kinds: [PageMap.Use: [Int]] = [:]
    for (page, use) in map.uses.enumerated() {
      var kind = use
      if case .run(let table, let index) = use { kind = .run(table, index: min(index, 1)) }
      kinds[kind, default: []].append(page)
    }
    return kinds.map { ($0.key, $0.value) }.sorted { $0.pages[0] < $1.pages[0] }
  }

  /// Pages that were written to the place of others.
  private var moves: [Damage] {
    let kinds = kinds
    var damages: [Damage] = []
    for (index, one) in kinds.enumerated() {
      let other = kinds[(index + 1) % kinds.count]
      let (a, b) = (one.pages[one.pages.count / 2], other.pages[0])
      damages.append(Self.swap(a, b, "\(one.use.name) with \(other.use.name)"))
      damages.append(Self.copy(a, to: b, "\(one.use.name) over \(other.use.name)"))
      if one.pages.count > 1 {
        damages.append(Self.swap(one.pages[0], one.pages[one.pages.count - 1], "two of \(one.use.name)"))
        damages.append(Self.copy(one.pages[0], to: one.pages[1], "\(one.use.name) over the next"))
      }
    }
    return damages
  }

  private static func swap(_ a: Int, _ b: Int, _ name: String) -> Damage {
    Damage("pages \(a) and \(b) swapped: \(name)") { bytes in
      for offset in 0..<pageByteCount { bytes.swapAt(a * pageByteCount + offset, b * pageByteCount + offset) }
    }
  }

  private static func copy(_ a: Int, to b: Int, _ name: String) -> Damage {
    Damage("page \(a) written over \(b): \(name)") { bytes in
      bytes.replaceSubrange(
        b * pageByteCount..<(b + 1) * pageByteCount, with: bytes[a * pageByteCount..<(a + 1) * pageByteCount])
    }
  }

  /// Pages as an earlier commit left them: the last write never arrived.
  private var lostWrites: [Damage] {
    var damages: [Damage] = []
    for (number, earlier) in WholeStore.shared.earlier.enumerated() {
      var seen: [PageMap.Use: Int] = [:]
      for (page, use) in map.uses.enumerated() {
        let range = page * Self.pageByteCount..<(page + 1) * Self.pageByteCount
        guard range.upperBound <= earlier.count, seen[use, default: 0] < 2, use != .free else { continue }
        let old = Array(earlier[range])
        guard !map.bytes[range].elementsEqual(old) else { continue }
        seen[use, default: 0] += 1
        let isMeta = if case .meta = use { true } else { false }
        damages.append(
          Damage("page \(page), \(use.name), as it was at commit \(number)", mayGoBack: isMeta) {
            $0.replaceSubrange(range, with: old)
          })
      }
    }
    return damages
  }

  /// The file ends early, or late.
  private var cuts: [Damage] {
    let page = Self.pageByteCount
    let last = map.lastUsedPage
    let run = map.uses.indices.first { map.uses[$0] == .run(TableName.extents, index: 3) }!
    let leaf = map.uses.indices.first { if case .leaf = map.uses[$0] { true } else { false } }!
    var counts = [
      0, 1, 15, 16, 20, 100, 152, page - 1, page, page + 1, page + 100, page + 152, 2 * page - 1, 2 * page,
      2 * page + 1, 3 * page, leaf * page, leaf * page + 17, run * page, run * page + 2000, last * page,
      last * page + 1, last * page + 2048, (last + 1) * page - 1, (last + 1) * page, map.bytes.count / 2,
      map.bytes.count / 3, map.bytes.count - 1,
    ]
    var numbers = SeededNumbers(seed: 3)
    for _ in 0..<8 { counts.append(Int.random(in: 0..<map.bytes.count, using: &numbers)) }
    let whole = map.bytes.count
    return Set(counts).filter { $0 <= whole }.sorted().map { count in
      Damage("cut to \(count) bytes") { $0.removeLast($0.count - count) }
    } + [
      Damage("5,000 zeros behind the end") { $0 += Array(repeating: 0, count: 5000) },
      Damage("noise behind the end") { bytes in bytes += bytes[5000..<9000] },
    ]
  }
}
