import Testing

@testable import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

struct UnlockedReadingTests {
  /// The number of the newest commit stands at this offset of the two meta pages.
  private static let numberOffset = 16 + 24 + 96 + 8

  /// Raises the commit number as so many commits of another process would.
  private func commit(_ count: UInt64, at path: String) throws {
    let descriptor = open(path + "/data.mdb", O_RDWR)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var numbers: [UInt64] = [0, 0]
    for page in 0..<2 {
      try #require(pread(descriptor, &numbers[page], 8, off_t(page * 4096 + Self.numberOffset)) == 8)
    }
    let newest = numbers[0] > numbers[1] ? 0 : 1
    var number = numbers[newest] + count
    try #require(pwrite(descriptor, &number, 8, off_t(newest * 4096 + Self.numberOffset)) == 8)
  }

  @Test func `an environment without a lock file notices that it was overtaken`() throws {
    let directory = EnvironmentDirectory()
    let writer = try Environment(path: directory.path)
    let name = "t"
    let table = try writer.table(name)
    try writer.put("key", "value", in: table)
    writer.close()

    let reader = try Environment(
      path: directory.path, options: EnvironmentOptions(isReadOnly: true, usesLockFile: false))
    defer { reader.close() }
    #expect(!reader.isLocked)
    let opened = try reader.openTables { (transaction) throws(LMDBError) in try transaction.openTable(name) }
    let again = try #require(opened)
    #expect(try reader.get("key", in: again) == "value")
    // One commit leaves the pages of a snapshot alone.
    try reader.read { (_) throws(LMDBError) in try? commit(1, at: directory.path) }
    let error = #expect(throws: LMDBError.self) {
      try reader.read { (_) throws(LMDBError) in try? commit(2, at: directory.path) }
    }
    #expect(error == .overtaken)
    // What looked damaged meanwhile was overwritten.
    let other = #expect(throws: LMDBError.self) {
      try reader.read { (_) throws(LMDBError) in
        try? commit(2, at: directory.path)
        throw .corrupted
      }
    }
    #expect(other == .overtaken)
    #expect(try reader.get("key", in: again) == "value")
  }

  @Test func `a reader that may write the lock file uses it`() throws {
    let directory = EnvironmentDirectory()
    let writer = try Environment(path: directory.path)
    _ = try writer.table()
    #expect(writer.isLocked)
    writer.close()
    unlink(directory.path + "/lock.mdb")
    let reader = try Environment(path: directory.path, options: EnvironmentOptions(isReadOnly: true))
    defer { reader.close() }
    #expect(reader.isLocked)
  }
}
