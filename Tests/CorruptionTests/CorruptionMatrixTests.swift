import Foundation
import Testing

/// KVPAGER_LONG=1 damages the file at random a thousand times more.
let isLongRun = ProcessInfo.processInfo.environment["KVPAGER_LONG"] != nil

@Suite struct `the corruption matrix` {
  @Test func `the store of the matrix has every kind of page`() throws {
    let map = Matrix.shared.fields.map
    let names = Set(map.uses.map(\.name))
    for table in ["blocks", "children", "recency", "extents", "sessions"] {
      #expect(names.contains("branch of \(table)") && names.contains("leaf of \(table)"), "\(table)")
    }
    for table in ["(free)", "(main)", "meta", "spaces"] { #expect(names.contains("leaf of \(table)"), "\(table)") }
    for name in ["body of a run of extents", "head of a run of extents", "head of a run of spaces", "free page"] {
      #expect(names.contains(name), "\(name)")
    }
    #expect(map.pages(.free).count > 10)
    let fields = Set(Matrix.shared.fields.fields.map(\.name))
    for name in ["short body: lists", "long body: lists", "frame: later piece", "checkpoint: later piece"] {
      #expect(fields.contains(name), "\(name)")
    }
    #expect(Matrix.shared.fields.sessionRanges.count == WholeStore.shared.live.count)
  }

  @Test func `it has at least 500 damaged stores`() {
    let list = DamageList(fields: Matrix.shared.fields)
    let counts = DamageList.Group.allCases.map { list.damages($0).count }
    #expect(counts.reduce(0, +) >= 500, "\(counts)")
    #expect(counts.allSatisfy { $0 >= 14 }, "\(counts)")
  }

  @Test(arguments: DamageList.Group.allCases)
  func `every damaged store gets its finding, gives no wrong byte, and what is whole is salvaged`(
    _ group: DamageList.Group
  ) throws {
    let folder = ScratchFolder()
    for (number, damage) in DamageList(fields: Matrix.shared.fields).damages(group).enumerated() {
      try Matrix.shared.run(damage, number: number, folder: folder)
    }
  }

  @Test(arguments: 0..<8) func `random damage is told, and gives no wrong byte`(_ part: Int) throws {
    let folder = ScratchFolder()
    for number in 0..<(isLongRun ? 500 : 2) {
      let seed = UInt64(part * 10_000 + number)
      try Matrix.shared.run(.random(seed: seed), number: number, folder: folder)
    }
  }
}

extension Damage {
  /// Up to 20 wounds anywhere: bits, zeros, noise, pages moved, an end cut off.
  static func random(seed: UInt64) -> Damage {
    Damage("seed \(seed)") { bytes in
      var numbers = SeededNumbers(seed: seed)
      for _ in 0..<Int.random(in: 1...20, using: &numbers) {
        guard bytes.count > 20_000 else { return }
        let start = Int.random(in: 0..<bytes.count, using: &numbers)
        let end = min(bytes.count, start + (1 << Int.random(in: 0...14, using: &numbers)))
        switch Int.random(in: 0..<10, using: &numbers) {
        case 0...4: bytes[start] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
        case 5, 6: for offset in start..<end { bytes[offset] = 0 }
        case 7: for offset in start..<end { bytes[offset] = UInt8.random(in: 0...255, using: &numbers) }
        case 8:
          let other = Int.random(in: 0..<bytes.count / 4096, using: &numbers) * 4096
          let page = start / 4096 * 4096
          if page + 4096 <= bytes.count { bytes.replaceSubrange(page..<page + 4096, with: bytes[other..<other + 4096]) }
        default: if numbers.next() % 4 == 0 { bytes.removeLast(bytes.count - max(start, 20_000)) }
        }
      }
    }
  }
}
