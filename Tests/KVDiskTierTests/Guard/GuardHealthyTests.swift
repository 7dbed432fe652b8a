import CSystemLMDB
import Foundation
import Testing

@testable import KVDiskTier

@Suite struct `the guard on files that are whole` {
  private func findings(_ fixture: GuardFixture, deep: Bool = false) throws -> [LMDBFileReport.Finding] {
    try LMDBFileGuard.inspect(path: fixture.directory.path, deep: deep).findings
  }

  @Test func `a new environment is accepted, empty or with empty tables`() throws {
    let fixture = try GuardFixture(seed: 1)
    #expect(try findings(fixture) == [])
    try fixture.makeTables()
    #expect(try findings(fixture, deep: true) == [])
    try LMDBFileGuard.check(path: fixture.directory.dataFile)
  }

  @Test(arguments: 1...(isLongRun ? 40 : 4))
  func `a file is accepted after each of hundreds of random commits`(seed: Int) throws {
    let fixture = try GuardFixture(seed: UInt64(seed))
    try fixture.makeTables()
    var mostFree: UInt64 = 0
    for commit in 1...(isLongRun ? 600 : 200) {
      let isBig = commit % 17 == 0
      try fixture.churn(
        operationCount: isBig ? 800 : 25, liveCount: commit % 80 > 60 ? 40 : 1_500,
        extentCount: commit % 80 > 60 ? 4 : 60,
        leavesLongRuns: seed % 2 == 0)
      let report = try LMDBFileGuard.inspect(path: fixture.directory.path, deep: commit % 10 == 0)
      #expect(report.findings == [], "seed \(seed), commit \(commit)")
      #expect(report.unreachablePageCount == 0)
      mostFree = max(mostFree, report.freePageCount)
      if !report.findings.isEmpty { return }
    }
    #expect(mostFree > 500, "the freelist was never put to the test")
  }

  @Test func `counts equal LMDB's own`() throws {
    let fixture = try GuardFixture(seed: 7)
    try fixture.makeTables()
    for _ in 0..<10 { try fixture.churn(operationCount: 500, liveCount: 2_000, extentCount: 50) }
    let report = try LMDBFileGuard.inspect(path: fixture.directory.path)
    #expect(report.tables.map(\.name) == ["(free)", "(main)", "counters", "extents", "recency", "records"])
    let records = try #require(report.tables.first { $0.name == "records" })
    #expect(records.depth == 3 || records.branchPageCount > 0)
    #expect(records.overflowPageCount == 0)
    let extents = try #require(report.tables.first { $0.name == "extents" })
    #expect(extents.hasIntegerKeys && extents.overflowPageCount > extents.entryCount)
    let used = report.tables.reduce(2) { $0 + $1.branchPageCount + $1.leafPageCount + $1.overflowPageCount }
    #expect(used + report.freePageCount + report.unreachablePageCount == report.lastPage + 1)
  }

  @Test func `a value replaced by a smaller one in the same transaction keeps its long run`() throws {
    let fixture = try GuardFixture(seed: 3)
    try fixture.makeTables()
    try fixture.write { transaction in
      try fixture.put(.extents, 1, byteCount: 262_128, in: transaction)
      try fixture.put(.extents, 1, byteCount: 100, in: transaction)
    }
    let report = try LMDBFileGuard.inspect(path: fixture.directory.path)
    #expect(report.findings == [])
    // Only the run's own header tells its length, so the walk went deep by itself.
    #expect(report.isDeep && report.tables.first { $0.name == "extents" }?.overflowPageCount == 64)
  }

  @Test func `keys that are appended make lopsided trees that are accepted`() throws {
    let fixture = try GuardFixture(seed: 8)
    try fixture.makeTables()
    var deepest = 0
    for commit in 0..<60 {
      try fixture.write { transaction in
        for index in 0..<300 {
          let number = UInt64(commit * 300 + index)
          try fixture.put(.extents, number, byteCount: 1_900, in: transaction, flags: MDB_APPEND)
          if index % 7 == 0, number > 2_000 { try fixture.delete(.extents, number - 2_000, in: transaction) }
        }
      }
      let report = try LMDBFileGuard.inspect(path: fixture.directory.path)
      #expect(report.findings == [], "commit \(commit)")
      deepest = max(deepest, report.tables.map(\.depth).max() ?? 0)
    }
    #expect(deepest >= 3, "too shallow to have branches of branches")
  }

  @Test func `pages taken and freed within one transaction may lie past the end of the file`() throws {
    var shortFileCount = 0
    for seed in 0..<10 {
      let fixture = try GuardFixture(seed: 4)
      try fixture.makeTables()
      var numbers = SeededNumbers(seed: UInt64(seed))
      for _ in 0..<12 {
        try fixture.write { transaction in
          for _ in 0..<Int.random(in: 1...6, using: &numbers) {
            let number = UInt64.random(in: 0..<20, using: &numbers)
            let byteCount = Int.random(in: 0..<200, using: &numbers) * 4096
            if Bool.random(using: &numbers) {
              try fixture.put(.extents, number, byteCount: byteCount, in: transaction)
            } else {
              try fixture.delete(.extents, number, in: transaction)
            }
          }
        }
        let report = try LMDBFileGuard.inspect(path: fixture.directory.path)
        #expect(report.findings == [])
        if (report.lastPage + 1) * 4096 > report.fileByteCount { shortFileCount += 1 }
      }
    }
    #expect(shortFileCount > 0, "LMDB made no file shorter than its last page says")
  }

  @Test func `a file that a writer changes all the while is accepted`() async throws {
    let directory = ScratchDirectory()
    let fixture = try GuardFixture(seed: 5, directory: directory)
    try fixture.makeTables()
    for _ in 0..<20 { try fixture.churn(operationCount: 400, liveCount: 1_500, extentCount: 30) }
    let writer = Thread { [fixture] in
      while !Thread.current.isCancelled {
        try? fixture.churn(operationCount: 30, liveCount: 1_500, extentCount: 30)
        usleep(8_000)
      }
    }
    writer.start()
    var attemptCount = 0
    for _ in 0..<60 {
      let report = try LMDBFileGuard.inspect(path: directory.path)
      attemptCount += report.attemptCount
      #expect(report.findings == [], "after \(report.attemptCount) attempts")
    }
    writer.cancel()
    while !writer.isFinished { usleep(1_000) }
    print("60 reports beside a writer took \(attemptCount) walks")
  }

  @Test func `reading costs the tree pages, not the values`() throws {
    let fixture = try GuardFixture(seed: 6)
    try fixture.makeTables()
    try fixture.write { transaction in
      for number in 1...400 { try fixture.put(.extents, UInt64(number), byteCount: 262_128, in: transaction) }
    }
    let report = try LMDBFileGuard.inspect(path: fixture.directory.path)
    #expect(report.fileByteCount > 100 << 20)
    #expect(report.treePageCount < 30)
    #expect(report.byteCountRead < 200_000)
    let deep = try LMDBFileGuard.inspect(path: fixture.directory.path, deep: true)
    #expect(deep.runHeaderCount == 400)
  }
}

/// Thousands of trials instead of dozens.
let isLongRun = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == "1"
