import Foundation
import KVBlocks
import KVInspection
import Testing

@testable import KVDiskTier

/// What is no store, and what is none any more: each question is answered with a refusal in words, at once.
@Suite struct `files that are no store` {
  private func ask(_ path: String, _ codes: Set<StoreError.Code>, _ name: String) {
    let inspector = StoreInspector(path: path)
    func refused(_ question: String, _ body: () throws(StoreError) -> Void) {
      do throws(StoreError) {
        try body()
        Issue.record("\(name): \(question) is answered")
      } catch {
        #expect(codes.contains(error.code), "\(name): \(question): \(error.code) \(error)")
        #expect(error.message.count > 20, "\(name): \(question): \(error)")
      }
    }
    refused("statistics") { () throws(StoreError) in _ = try inspector.statistics() }
    refused("sessions") { () throws(StoreError) in _ = try inspector.sessions() }
    refused("tree") { () throws(StoreError) in _ = try inspector.tree() }
    refused("salvage") { () throws(StoreError) in _ = try StoreSalvager(path: path).list() }
    do throws(StoreError) {
      #expect(try !inspector.verify(deep: true).isSound, "\(name)")
    } catch {
      #expect(codes.contains(error.code), "\(name): verify: \(error.code) \(error)")
    }
    do throws(StoreError) {
      #expect(try inspector.info().refusal != nil, "\(name)")
    } catch {
      #expect(codes.contains(error.code), "\(name): info: \(error.code) \(error)")
    }
  }

  @Test func `files of other programs, of zeros, of noise, of nothing`() throws {
    let folder = ScratchFolder()
    var numbers = SeededNumbers(seed: 1)
    let noise = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &numbers) }
    let files: [(String, [UInt8])] = [
      ("SQLite", Array("SQLite format 3\0".utf8) + noise.prefix(8176)), ("text", Array("Once upon a time.\n".utf8)),
      ("empty", []), ("one byte", [7]), ("zeros", Array(repeating: 0, count: 100_000)), ("noise", noise),
      ("ones", Array(repeating: 255, count: 70_000)), ("marks", (0..<9000).flatMap { _ in Array("KVEXKVSESSN1".utf8) }),
      // Node headers that claim keys of spaces and blocks, one after the other.
      ("nodes", (0..<50_000).flatMap { _ in [0xff, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 36, 0] as [UInt8] }),
      ("LMDB's magic alone", Array(repeating: 0, count: 16) + [0xde, 0xc0, 0xef, 0xbe] + noise),
      ("the other byte order", Array(repeating: 0, count: 16) + [0xbe, 0xef, 0xc0, 0xde] + noise),
    ]
    for (name, bytes) in files {
      ask(try folder.store(bytes), [.notAStore, .damaged, .foreignByteOrder], name)
    }
  }

  @Test func `another program's LMDB is none`() throws {
    let folder = ScratchFolder()
    let path = "\(folder.path)/other"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try LMDBOfAnother.make(at: path)
    ask(path, [.notAStore], "LMDB")
  }

  @Test func `a folder, a pipe, a link to nowhere and nothing are told apart from stores`() throws {
    let folder = ScratchFolder()
    for name in ["folder", "pipe", "link", "loop"] {
      let path = "\(folder.path)/\(name)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      let data = "\(path)/data.mdb"
      switch name {
      case "folder": try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
      case "pipe": #expect(mkfifo(data, 0o644) == 0)
      case "link": try FileManager.default.createSymbolicLink(atPath: data, withDestinationPath: "/nowhere/at/all")
      default: try FileManager.default.createSymbolicLink(atPath: data, withDestinationPath: data)
      }
      ask(path, [.notAStore, .notFound, .inputOutput], name)
    }
    ask("\(folder.path)/nothing", [.notFound], "nothing")
    ask("\(folder.path)/pipe/data.mdb", [.notAStore, .notFound], "a pipe itself")
  }

  @Test(.enabled(if: getuid() != 0, "the superuser may read everything"))
  func `what may not be read is refused as such`() throws {
    let folder = ScratchFolder()
    let path = try folder.store(WholeStore.shared.bytes)
    chmod("\(path)/data.mdb", 0)
    ask(path, [.permissionDenied], "no permission")
  }

  @Test(arguments: [8192, 16384, 32768, 65536]) func `a file of another page size is salvaged or refused`(
    _ pageByteCount: Int
  ) throws {
    // As a machine with larger pages writes it: the same extents at larger steps, and meta pages that say so.
    let whole = WholeStore.shared.bytes
    let map = Matrix.shared.fields.map
    var bytes = Array(repeating: UInt8(0), count: 2 * pageByteCount)
    bytes.replaceSubrange(0..<200, with: whole[0..<200])
    bytes.replaceSubrange(pageByteCount..<pageByteCount + 200, with: whole[4096..<4296])
    for meta in [0, pageByteCount] {
      withUnsafeBytes(of: UInt32(pageByteCount)) { bytes.replaceSubrange(meta + 40..<meta + 44, with: $0) }
    }
    for entry in map.entries where entry.table == TableName.extents {
      let start = entry.value.lowerBound - 16
      let run = (entry.value.count + 16 + pageByteCount - 1) / pageByteCount * pageByteCount
      bytes += whole[start..<entry.value.upperBound]
      bytes += Array(repeating: 0, count: run - entry.value.count - 16)
    }
    let folder = ScratchFolder()
    let path = try folder.store(bytes)
    let report = try StoreSalvager(path: path).list()
    let long = WholeStore.shared.live.filter { $0.value.record.blocks.count > 30 }.map(\.key.name)
    #expect(Set(report.sessions.filter(\.isWhole).map(\.name)).isSuperset(of: long))
    #expect(report.blocks.wholeCount >= WholeStore.shared.frames.count)
    let error = #expect(throws: StoreError.self) { try StoreInspector(path: path).sessions() }
    #expect(error?.code == .damaged)
  }

  @Test func `an image that was cut anywhere gives its extents`() throws {
    let folder = ScratchFolder()
    for skipped in [1, 511, 512, 777, 4095, 10_000] {
      let path = "\(folder.path)/image-\(skipped)"
      try Data(Array(repeating: 9, count: skipped) + WholeStore.shared.bytes).write(to: URL(fileURLWithPath: path))
      let report = try StoreSalvager(path: path).list()
      #expect(report.blocks.wholeCount >= WholeStore.shared.frames.count, "\(skipped)")
      let whole = Set(report.sessions.filter(\.isWhole).map(\.name))
      #expect(whole.isSuperset(of: WholeStore.shared.live.keys.map(\.name)), "\(skipped): \(whole)")
    }
  }
}
