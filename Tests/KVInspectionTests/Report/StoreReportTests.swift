import Foundation
import KVBlocks
import KVSimulation
import Testing

@testable import KVInspection

@Suite struct `a report of a store` {
  private static func options(depth: Int = 12, sessions: Int = 100) -> ReportOptions {
    ReportOptions(
      depth: depth, sessionLimit: sessions, nowMicroseconds: 1_800_000_000_000_000, programVersion: "1.2.3")
  }

  @Test func `the parts of the file add up to it`() throws {
    let store = try InspectedStore()
    let facts = try StoreInspector(path: store.path).reportFacts(Self.options())
    let file = try #require(facts.contents?.file)
    let statistics = try #require(facts.statistics)
    #expect(file.totalByteCount == statistics.fileByteCount)
    #expect(file.frameByteCount == statistics.compressedByteCount)
    #expect(file.checkpointByteCount == statistics.checkpointByteCount && file.checkpointByteCount > 0)
    #expect(file.treeByteCount >= 2 * 4096 && file.paddingByteCount > 0)
  }

  @Test func `sessions that begin alike have their common tokens counted`() throws {
    let store = try InspectedStore()
    let sharing = try #require(try StoreInspector(path: store.path).reportFacts(Self.options()).contents?.sharing)
    #expect(sharing.members.map(\.name).sorted() == ["chat 0", "chat 1", "chat 2"])
    for row in 0..<3 {
      for column in 0..<3 { #expect(sharing.tokenCounts[row][column] == (row == column ? 132 : 96)) }
    }
  }

  @Test func `the sessions that do not fit are summed up`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let all = try inspector.sessions()
    let ranking = SessionRanking(all, limit: 1, nowMicroseconds: 0)
    #expect(ranking.top.count == 1 && ranking.rest.sessionCount == 2 && ranking.sessionCount == 3)
    #expect(ranking.rest.tokenCount + ranking.top[0].tokenCount == all.reduce(0) { $0 + $1.tokenCount })
    #expect(ranking.rest.uniqueByteCount + ranking.top[0].uniqueByteCount == all.reduce(0) { $0 + $1.uniqueByteCount })
    let page = StoreReport.page(try inspector.reportFacts(Self.options(sessions: 1)))
    #expect(page.contains("2 more sessions"))
    #expect(StoreReport.page(try inspector.reportFacts(Self.options(sessions: 0))).contains("3 more sessions"))
  }

  @Test func `the page says what the facts say`() throws {
    let store = try InspectedStore()
    let facts = try StoreInspector(path: store.path).reportFacts(Self.options())
    let page = StoreReport.page(facts)
    let statistics = try #require(facts.statistics)
    #expect(page.contains("data-figure=\"bytes.unique\" value=\"\(statistics.uniqueByteCount)\""))
    #expect(page.contains("data-figure=\"blocks.references\" value=\"27\""))
    #expect(page.contains("96 tokens, 3 sessions"))
    #expect(page.contains("a &quot;quoted&quot; title") && page.contains("kvpager 1.2.3"))
    #expect(page.contains("2027-01-15 08:00 UTC"))
    // The same facts make the same page.
    #expect(page == StoreReport.page(facts))
    _ = try JSONSerialization.jsonObject(with: Data(facts.json.text().utf8))
  }

  @Test func `a damaged store has a page of what can be told`() throws {
    let store = try InspectedStore()
    try store.damage { $0.removeLast($0.count / 3 / 4096 * 4096) }
    let facts = try StoreInspector(path: store.path).reportFacts(Self.options())
    #expect(facts.contents == nil && ReportHealth(facts).worst == .bad)
    let page = StoreReport.page(facts)
    #expect(page.contains("The store does not open") && page.contains("kvpager salvage"))
    #expect(!page.contains("id=\"tree\""))
  }

  @Test func `findings have their severity and remedy`() throws {
    let store = try InspectedStore()
    // A byte in the middle of the first frame's extent: found by nobody who does not decode.
    var facts = try StoreInspector(path: store.path).reportFacts(Self.options())
    #expect(ReportHealth(facts).worst == .caution || ReportHealth(facts).worst == .good)
    facts.verify.findings = (0..<30).map { index in
      VerifyFinding(
        severity: index < 2 ? .damage : .waste, kind: "frame", session: "<s>", message: "broken \(index)",
        remedy: "store it again")
    }
    facts.verify.counts = [.init(kind: "frame", severity: .damage, count: 30)]
    let health = ReportHealth(facts)
    #expect(health.worst == .bad && health.items[0].title == "Damage: session \"<s>\": broken 0")
    #expect(health.items[0].remedy == "Store it again.")
    #expect(health.items.contains { $0.title == "10 more findings" && $0.level == .caution })
    let page = StoreReport.page(facts)
    #expect(page.contains("session &quot;&lt;s&gt;&quot;: broken 0"))
  }

  @Test func `a store without blocks has a page`() throws {
    let store = try InspectedStore()
    var facts = try StoreInspector(path: store.path).reportFacts(Self.options())
    facts.contents?.sessions = SessionRanking([], limit: 9, nowMicroseconds: 0)
    facts.contents?.sharing.members = []
    facts.contents?.tree.amount = .init()
    facts.info.contents?.statistics.planes = nil
    let page = StoreReport.page(facts)
    for sentence in ["holds no block yet", "holds no session yet", "no two sessions", "no frame that can be read"] {
      #expect(page.contains(sentence), "\(sentence)")
    }
  }

  @Test func `the page of a store of many sessions stays small and says what it leaves out`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-report-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var shape = LargeStore()
    (shape.sessionCount, shape.blockCount) = (700, 5000)
    try shape.fill(path)
    // The largest that can be asked for.
    let options = Self.options(depth: ReportOptions.depthLimit, sessions: 100)
    let facts = try StoreInspector(path: path).reportFacts(options)
    let page = StoreReport.page(facts)
    #expect(page.utf8.count < 1 << 20)
    #expect(page.components(of: "role=\"treeitem\"") <= 2 * ReportOptions.treeNodeLimit)
    let contents = try #require(facts.contents)
    #expect(contents.sharing.members.count == ReportOptions.matrixLimit && contents.sessions.top.count == 100)
    let (others, more) = (700 - ReportOptions.matrixLimit, contents.sessions.rest.sessionCount)
    #expect(page.contains("the other \(others) are not compared") && page.contains("\(more) more sessions"))
    #expect(contents.file.totalByteCount == facts.statistics?.fileByteCount)
  }
}
