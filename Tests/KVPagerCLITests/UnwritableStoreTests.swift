import Foundation
import Testing

/// Stores that may be read and not written: other users' ones, read-only media, copies without a lock file.
struct UnwritableStoreTests {
  private static let isRoot = getuid() == 0
  private static let canBeNobody =
    !isRoot || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
  /// A mount of one's own needs root and a system that lets it.
  private static let canMount: Bool = {
    guard isRoot else { return false }
    let outcome = try? CommandLineTool.shell(
      "d=$(mktemp -d) && unshare -m mount --bind -o ro \"$d\" \"$d\" && rmdir \"$d\"", expecting: nil)
    return outcome?.status == 0
  }()

  /// What runs as a user who owns nothing; root may write everywhere.
  private static var nobody: String { isRoot ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "" }

  private static let readers = ["info", "sessions", "stats", "session support/anna --space 1", "tree", "verify --deep"]

  @Test(.enabled(if: canBeNobody))
  func `a store in a folder that may not be written is read without a lock`() throws {
    let folder = try GoldenAnswer.store()
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.store)
    try CommandLineTool.shell(
      "chmod 755 '\(folder.path)' && chmod 555 '\(folder.store)' && chmod 444 '\(folder.store)'/*")
    for reader in Self.readers {
      let outcome = try CommandLineTool.shell("\(Self.nobody) \"$KVPAGER\" \(reader) --store '\(folder.store)'")
      #expect(!outcome.text.isEmpty)
    }
    let verified = try CommandLineTool.shell("\(Self.nobody) \"$KVPAGER\" verify --store '\(folder.store)'").text
    #expect(verified.contains("without a lock"), "\(verified)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.store) == before)
    let writer = try CommandLineTool.shell(
      "\(Self.nobody) \"$KVPAGER\" delete support/anna --space 1 --store '\(folder.store)'", expecting: 1)
    #expect(writer.error.contains("permissions"), "\(writer.error)")
    try CommandLineTool.shell("chmod 755 '\(folder.store)'")
  }

  @Test(.enabled(if: canBeNobody))
  func `a lock file of another user does not hinder a reader`() throws {
    let folder = try GoldenAnswer.store()
    try CommandLineTool.run(["info", "--store", folder.store])
    try CommandLineTool.shell("chmod 755 '\(folder.path)' '\(folder.store)' && chmod 444 '\(folder.store)'/*")
    for reader in Self.readers {
      try CommandLineTool.shell("\(Self.nobody) \"$KVPAGER\" \(reader) --store '\(folder.store)'")
    }
  }

  @Test(.enabled(if: canBeNobody))
  func `a store that may not be read says so, with what to do`() throws {
    let folder = try GoldenAnswer.store()
    try CommandLineTool.shell("chmod 755 '\(folder.path)' '\(folder.store)' && chmod 000 '\(folder.store)/data.mdb'")
    for reader in Self.readers {
      let outcome = try CommandLineTool.shell(
        "\(Self.nobody) \"$KVPAGER\" \(reader) --store '\(folder.store)'", expecting: 1)
      #expect(outcome.error.contains("may not be read") || outcome.error.contains("not allowed"), "\(outcome.error)")
      #expect(outcome.error.contains("owner"), "\(outcome.error)")
    }
  }

  @Test(.enabled(if: canMount))
  func `a store on a read-only medium is read`() throws {
    let folder = try GoldenAnswer.store()
    let line = """
      unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && "$@"' sh '\(folder.store)'
      """
    for reader in Self.readers {
      try CommandLineTool.shell("\(line) \"$KVPAGER\" \(reader) --store '\(folder.store)'")
    }
    let verified = try CommandLineTool.shell("\(line) \"$KVPAGER\" verify --store '\(folder.store)'").text
    #expect(verified.contains("without a lock"), "\(verified)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.store) == ["data.mdb"])
  }
}
