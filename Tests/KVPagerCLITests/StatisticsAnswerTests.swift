import Foundation
import Testing

struct StatisticsAnswerTests {
  @Test(arguments: [
    ("stats.txt", ["stats"]), ("stats.json", ["stats", "--json"]), ("stats-detail.txt", ["stats", "--detail"]),
    ("stats-quota.txt", ["stats", "--quota", "1MiB", "--exact"]), ("info.txt", ["info"]),
    ("info.json", ["info", "--json"]),
  ])
  func `stats and info answer as they always did`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test func `info shows what a damaged store's file still tells`() throws {
    let folder = try GoldenAnswer.store()
    let data = try folder.bytes("store/data.mdb")
    try folder.write(data.prefix(300_000), to: "store/data.mdb")
    try GoldenAnswer.expect("info-damaged.txt", ["info"], status: 1, in: folder)
    try GoldenAnswer.expect("info-damaged.json", ["info", "--json"], status: 1, in: folder)
  }
}
