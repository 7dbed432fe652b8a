import Foundation
import Testing

/// Pages that are in no tree and in no list of free ones: harmless, and told of as that.
struct LostPageTests {
  private static let pageByteCount = 4096

  /// A store whose newest meta page counts four pages more than anything leads to.
  private func makeStore() throws -> Folder {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    var bytes = try folder.bytes("store/data.mdb")
    func number(_ offset: Int) -> UInt64 {
      bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    // Behind the page's header: magic, version, address, size, two trees of 48 bytes; last page, transaction.
    let lastPage = 16 + 24 + 2 * 48
    let newest = number(lastPage + 8) > number(Self.pageByteCount + lastPage + 8) ? 0 : Self.pageByteCount
    let last = number(newest + lastPage) + 4
    for index in 0..<8 { bytes[newest + lastPage + index] = UInt8(truncatingIfNeeded: last >> (8 * UInt64(index))) }
    let wanted = Int(last + 1) * Self.pageByteCount
    bytes.append(Data(count: max(0, wanted - bytes.count)))
    try folder.write(bytes, to: "store/data.mdb")
    return folder
  }

  @Test func `verify finds them, as waste that a new store is without`() throws {
    let folder = try makeStore()
    let report = try CommandLineTool.run(["verify", "--json", "--store", folder.store], expecting: 1).json()
    let findings = try report.list("findings")
    #expect(try findings.map { try $0.text("kind") } == ["lostPage"])
    #expect(try findings.first?.text("severity") == "waste")
    #expect(try report.flag("usable"))
    #expect(try report.integer("file", "unreachablePages") == 4)
    let text = try CommandLineTool.run(["verify", "--store", folder.store], expecting: 1).text
    #expect(text.contains("nothing is lost") && text.contains("WASTE"), "\(text)")
    #expect(text.contains("4 pages that nothing leads to: harmless"), "\(text)")
    // No repair takes them away, and none says that it is the sessions' fault.
    let repair = try CommandLineTool.run(["verify", "--repair", "--yes", "--store", folder.store], expecting: 1).text
    #expect(repair.contains("Nothing was changed: no repair sets that right"), "\(repair)")
    #expect(!repair.contains("sessions hold"), "\(repair)")
    // The remedy works.
    try CommandLineTool.run(["salvage", folder.store, folder.file("new")])
    try CommandLineTool.run(["verify", "--deep", "--store", folder.file("new")])
    try CommandLineTool.run(["export", folder.file("out"), "--session", "chat", "--store", folder.file("new")])
    #expect(try folder.bytes("out") == Samples.bytes(Samples.quantized))
  }

  @Test func `compact says that they are harmless and in its way, and each text names the remedy`() throws {
    let folder = try makeStore()
    let before = try folder.bytes("store/data.mdb")
    for more in [[], ["--into", folder.file("copy")]] {
      let refusal = try CommandLineTool.run(["compact", "--store", folder.store] + more, expecting: 1)
      #expect(refusal.error.contains("harmless") && refusal.error.contains("kvpager salvage"), "\(refusal.error)")
      #expect(!refusal.error.contains("damaged"), "\(refusal.error)")
    }
    #expect(try folder.bytes("store/data.mdb") == before)
    let stats = try CommandLineTool.run(["stats", "--store", folder.store]).text
    #expect(stats.contains("16.0 KiB in pages that nothing leads to; salvage makes a store without"), "\(stats)")
    try CommandLineTool.run(["report", "--html", folder.file("page"), "--store", folder.store], expecting: 1)
    let page = String(decoding: try folder.bytes("page"), as: UTF8.self)
    #expect(page.contains("Waste: 4 pages that nothing leads to") && page.contains("makes a new store without them"))
  }
}
