import Foundation
import KVBlocks
import Testing

@testable import KVDiskTier

/// The code with which the guard refuses a file, nil where it accepts it.
func refusal(_ path: String) -> StoreError.Code? {
  do throws(StoreError) { try LMDBFileGuard.check(path: path) } catch { return error.code }
  return nil
}

@Suite struct `what the guard refuses says why` {
  private let scratch = ScratchDirectory()

  private func wholeFile() throws -> [UInt8] {
    let fixture = try GuardFixture(seed: 21)
    try fixture.makeTables()
    try fixture.churn(operationCount: 500, liveCount: 1_000, extentCount: 10)
    return fileBytes(fixture.directory.dataFile)
  }

  private func write(_ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: scratch.dataFile))
    return scratch.path
  }

  @Test func `nothing at the path is not found`() {
    #expect(refusal(scratch.path) == .notFound)
    #expect(refusal(scratch.path + "/none/at/all") == .notFound)
  }

  @Test func `0 bytes are refused, for LMDB would make a new store of them`() throws {
    let path = try write([])
    #expect(refusal(path) == .damaged)
  }

  @Test func `a pipe or a device is no store`() {
    mkfifo(scratch.path + "/pipe", 0o600)
    #expect(refusal(scratch.path + "/pipe") == .notAStore)
    #expect(refusal("/dev/null") == .notAStore)
  }

  @Test func `zeros and text are no store`() throws {
    #expect(refusal(try write([UInt8](repeating: 0, count: 20_000))) == .notAStore)
    #expect(refusal(try write(Array("not a store at all".utf8))) == .notAStore)
  }

  @Test func `the other byte order is recognised`() throws {
    var bytes = try wholeFile()
    for page in [0, 4096] { bytes.replaceSubrange(page + 16..<page + 20, with: [0xBE, 0xEF, 0xC0, 0xDE]) }
    #expect(refusal(try write(bytes)) == .foreignByteOrder)
  }

  @Test func `a newer data version is not guessed at`() throws {
    var bytes = try wholeFile()
    for page in [0, 4096] { bytes[page + 20] = 2 }
    #expect(refusal(try write(bytes)) == .versionTooNew)
  }

  @Test func `one wiped meta page is damage`() throws {
    for page in [0, 4096] {
      var bytes = try wholeFile()
      bytes.replaceSubrange(page..<page + 4096, with: [UInt8](repeating: 0, count: 4096))
      #expect(refusal(try write(bytes)) == .damaged)
    }
  }

  @Test func `the error names the page and the remedy`() throws {
    var bytes = try wholeFile()
    let page = GuardFileMap(bytes).treePages.last!
    bytes[page * 4096 + 12] ^= 1
    let path = try write(bytes)
    let error = #expect(throws: StoreError.self) { try LMDBFileGuard.check(path: path) }
    #expect(error?.message.contains("page \(page)") == true)
    #expect(error?.message.contains("bring the store back from a copy") == true)
  }

  @Test func `a report goes on past the first finding`() throws {
    var bytes = try wholeFile()
    for page in GuardFileMap(bytes).treePages.suffix(3) { bytes[page * 4096 + 10] = 0x40 }
    let report = try LMDBFileGuard.inspect(path: write(bytes))
    #expect(report.findings.count >= 3)
  }

  @Test func `a last page beyond belief costs no memory`() throws {
    var bytes = try wholeFile()
    for page in [0, 4096] {
      bytes.replaceSubrange(page + 32..<page + 40, with: [0, 0, 0, 0, 0, 0, 0xF0, 0])
      bytes.replaceSubrange(page + 136..<page + 144, with: [0, 0, 0, 0, 0, 0, 0xE, 0])
    }
    #expect(refusal(try write(bytes)) == .damaged)
  }

  @Test func `random bytes behind whole meta pages never crash the guard`() throws {
    let bytes = try wholeFile()
    for seed in 0..<UInt64(isLongRun ? 2_000 : 60) {
      var numbers = SeededNumbers(seed: seed)
      var copy = bytes
      for _ in 0..<Int.random(in: 1...4_000, using: &numbers) {
        copy[Int.random(in: 8192..<copy.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
      }
      let report = try LMDBFileGuard.inspect(path: write(copy), deep: seed % 2 == 0)
      #expect(report.findings.count <= LMDBFileReport.findingCountLimit)
    }
  }
}
