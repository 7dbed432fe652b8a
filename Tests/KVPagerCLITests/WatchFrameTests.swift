import Foundation
import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier
@testable import KVInspection
@testable import KVPagerCLI

/// A look at a store that nobody has: always the same.
enum WatchedFacts {
  static let now: UInt64 = 1_795_400_000_000_000

  static func counters(_ step: UInt64) -> StoreActivity.Counters {
    var counters = StoreActivity.Counters()
    counters.memoryHits = 1200 * step % 5000
    counters.diskHits = 110 * step % 700
    counters.misses = step % 7 == 0 ? 40 : 0
    counters.loads = 115 * step % 700
    counters.evictions = step > 30 ? 90 + step : 0
    counters.writeBacks = 12
    counters.bytesWritten = step % 2 == 0 ? 12 << 20 : 3 << 20
    counters.transactions = 3
    counters.sessionCommits = 3 + step % 3
    return counters
  }

  private static func process(_ number: Int, isAlive: Bool = true) -> StoreActivity.Process {
    var usage = StoreActivity.Usage()
    usage.memoryBytes = UInt64(number) * 201 << 20
    usage.memoryBudgetBytes = 1 << 30
    usage.residentBlocks = 400
    usage.pinnedBlocks = UInt64(number) * 16
    usage.dirtyBlocks = UInt64(number)
    return StoreActivity.Process(
      processID: Int32(4000 + number * 17), name: ["python3", "llama-server-with-a-long-name", "kvpager"][number % 3],
      startedMicroseconds: now - UInt64(number) * 4_000_000_000, updatedMicroseconds: now - UInt64(number) * 100_000,
      isAlive: isAlive, isReadOnly: number == 2, quotaBytes: number == 1 ? 20 << 30 : nil, usage: usage)
  }

  static let sessions: [ForemostSession] = (0..<12).map { number in
    ForemostSession(
      space: SpaceID(rawValue: 1), name: number == 1 ? "\u{4F1A}\u{8BDD} \u{1B}[31mred" : "chat \(number)",
      tokenCount: 900 * (number + 1), rowByteCount: 21 << (20 + number % 5),
      updatedMicroseconds: now - UInt64(number * number) * 61_000_000)
  }

  static var busy: WatchFacts {
    var total = StoreActivity.Counters()
    let history = (0..<90).map { WatchInterval(counters: counters($0), seconds: 1) }
    for interval in history { total = total + interval.counters }
    total.damagedLoads = 2
    let activity = StoreActivity(
      sinceMicroseconds: now - 90_000_000_000, total: total, endedCount: 7,
      processes: [process(1), process(2), process(3), process(4, isAlive: false)])
    return WatchFacts(
      path: "/var/lib/inference/models/kv-cache/production", timeMicroseconds: now,
      gauge: StoreGauge(
        sessionCount: 1204, blockCount: 81_920, deletableBlockCount: 30_100, fileByteCount: 15 << 30,
        usedByteCount: 14 << 30, commit: 9000,
        readers: [EnvironmentReader(processID: 77, snapshot: 8000), EnvironmentReader(processID: 78, snapshot: nil)]),
      activity: activity, history: history, sessions: ForemostSessions(sessions))
  }

  static var empty: WatchFacts {
    WatchFacts(path: "kv", timeMicroseconds: now, gauge: StoreGauge(), activity: nil)
  }
}

@Suite struct WatchFrameTests {
  private static let folder = "\(Repository.root)/data/golden/watch"

  private func lines(
    _ facts: WatchFacts, _ columns: Int, _ rows: Int, isFine: Bool = true, isColored: Bool = false
  ) -> [String] {
    let style = WatchStyle(ink: Ink(isColored: isColored), isFine: isFine)
    return WatchFrame(
      facts: facts, size: .init(columnCount: columns, rowCount: rows), style: style,
      footer: "q quits, a look each 1s", time: "10:30:05"
    ).lines
  }

  @Test(arguments: [(80, 24), (60, 15), (120, 40)])
  func `a busy store's frame is drawn word for word`(columns: Int, rows: Int) throws {
    let text = lines(WatchedFacts.busy, columns, rows).joined(separator: "\n") + "\n"
    let file = "\(Self.folder)/busy-\(columns)x\(rows).txt"
    if ProcessInfo.processInfo.environment["KVPAGER_UPDATE_GOLDEN"] != nil {
      try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    }
    #expect(text == (try String(contentsOfFile: file, encoding: .utf8)), "\(text)")
  }

  @Test func `a frame never leaves its window, however small`() {
    for facts in [WatchedFacts.busy, WatchedFacts.empty] {
      for columns in [1, 2, 7, 12, 20, 33, 48, 60, 73, 74, 79, 80, 81, 100, 133, 250] {
        for rows in [1, 2, 3, 4, 5, 6, 9, 12, 15, 19, 20, 24, 33, 34, 50, 90] {
          for isFine in [true, false] {
            let lines = lines(facts, columns, rows, isFine: isFine)
            #expect(lines.count == rows, "\(columns)x\(rows)")
            #expect(lines.allSatisfy { DisplayWidth.of($0) <= columns }, "\(columns)x\(rows)")
            #expect(!lines.joined().unicodeScalars.contains { $0.value < 0x20 }, "\(columns)x\(rows)")
            if !isFine {
              #expect(!lines.joined().unicodeScalars.contains { (0x2580...0x259F).contains($0.value) })
            }
          }
        }
      }
    }
  }

  @Test func `colours change nothing but the colours`() {
    let plain = lines(WatchedFacts.busy, 80, 24)
    let colored = lines(WatchedFacts.busy, 80, 24, isColored: true)
    #expect(colored != plain)
    let bare = colored.map { line in
      String(line.replacing(/\u{1B}\[[0-9]+m/, with: "").reversed().drop { $0 == " " }.reversed())
    }
    #expect(bare == plain)
  }

  @Test func `what is worth a word is said, with the remedy`() {
    let kinds = WatchedFacts.busy.problems.map(\.kind)
    #expect(kinds == [.damagedLoads, .longReader, .endedWithoutClosing])
    var tight = WatchedFacts.busy
    tight.gauge.usedByteCount = (20 << 30) - (1 << 20)
    func tightKinds() -> [WatchProblem.Kind] {
      WatchFacts(
        path: tight.path, timeMicroseconds: tight.timeMicroseconds, gauge: tight.gauge, activity: tight.activity
      ).problems.map(\.kind)
    }
    // Full of what may leave: as it should be.
    #expect(!tightKinds().contains(.fullQuota))
    tight.gauge.deletableBlockCount = 100
    #expect(tightKinds().contains(.fullQuota))
    #expect(WatchedFacts.empty.problems.isEmpty)
  }

  @Test func `a small chart is scaled to its largest value and nothing is nothing`() {
    let fine = WatchStyle(ink: Ink(isColored: false), isFine: true)
    #expect(fine.sparkline([0, 1, 4, 8, 0.001], columnCount: 7) == "   \u{2581}\u{2584}\u{2588}\u{2581}")
    #expect(fine.sparkline([1, 2, 3], columnCount: 2) == "\u{2586}\u{2588}")
    #expect(fine.sparkline([.nan, .infinity, 0], columnCount: 3) == "   ")
    let plain = WatchStyle(ink: Ink(isColored: false), isFine: false)
    #expect(plain.sparkline([0, 1, 7], columnCount: 3) == " .#")
    #expect(plain.bar(3, of: 4, columnCount: 8) == "######..")
  }

  @Test func `a file that claims anything is drawn all the same`() {
    var usage = StoreActivity.Usage()
    usage.memoryBytes = .max
    usage.memoryBudgetBytes = 1
    usage.pinnedBlocks = .max
    var total = StoreActivity.Counters()
    for (_, path) in StoreActivity.Counters.fields { total[keyPath: path] = .max }
    let process = StoreActivity.Process(
      processID: .max, name: "\u{202E}\u{1B}[2J", startedMicroseconds: .max, updatedMicroseconds: .max, isAlive: true,
      quotaBytes: .max, usage: usage, counters: total)
    let facts = WatchFacts(
      path: "kv", timeMicroseconds: WatchedFacts.now, gauge: WatchedFacts.busy.gauge,
      activity: StoreActivity(sinceMicroseconds: .max, total: total, endedCount: .max, processes: [process, process]),
      history: [WatchInterval(counters: total, seconds: 1e-9)])
    for (columns, rows) in [(80, 24), (120, 40), (20, 5)] {
      let lines = lines(facts, columns, rows)
      #expect(lines.allSatisfy { DisplayWidth.of($0) <= columns })
      #expect(!lines.joined().unicodeScalars.contains { $0 == "\u{202E}" || $0.value < 0x20 })
    }
    #expect(lines(facts, 80, 24).joined().contains("66.7 % in all: 33.3 % from RAM, 33.3 % from disk"))
    #expect(total.hitRate.map { (0...1).contains($0) } == true)
    #expect(!WatchLine.text(facts).isEmpty && !facts.json.text().isEmpty)
    total.misses = 0
    #expect(total.hitRate == 1)
    let plain = WatchStyle(ink: Ink(isColored: false), isFine: false)
    #expect(plain.bar(1e300, of: 1, columnCount: 4) == "####" && plain.bar(-1e300, of: 1, columnCount: 4) == "....")
  }

  @Test func `rates are counts by time, and a count that began anew is none`() {
    let interval = WatchInterval(counters: WatchedFacts.counters(1), seconds: 0.5)
    #expect(interval.perSecond(\.memoryHits) == 2400)
    #expect(WatchInterval(counters: WatchedFacts.counters(1), seconds: 0).perSecond(\.memoryHits) == 0)
    #expect((WatchedFacts.counters(1) - WatchedFacts.counters(2)).memoryHits == 0)
  }

  @Test func `intervals are read as people write them`() {
    #expect(["500ms", "1s", "2", "3m"].map { Interval($0)?.milliseconds } == [500, 1000, 2000, 180_000])
    #expect(["", "s", "-1s", "1h", "99ms", "61m", "1.5s", "99999999999999999999s"].allSatisfy { Interval($0) == nil })
  }
}
