import Foundation
import KVBlocks
import KVStudy
import Testing

@Suite struct TraceTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("data/traces").path

  /// A file with these bytes, gone after `body`.
  private func read(_ bytes: [UInt8]) throws -> ServingWorkload {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-trace-\(UUID().uuidString)").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try TraceFile(path: path).workload()
  }

  private func read(_ text: String) throws -> ServingWorkload { try read(Array(text.utf8)) }

  private func refusal(_ text: String) throws -> String {
    let error = #expect(throws: StoreError.self) { _ = try read(text) }
    return try #require(error).message
  }

  private struct Published: Sendable {
    var name: String
    var requestCount: Int
    var promptTokenCount: Int
    var outputTokenCount: Int
    var longestTokenCount: Int
    var spanMicroseconds: Int
  }

  /// As a few lines of Python count them. KVPAGER_LONG=1 adds the one that is long.
  private static let published =
    [
      Published(
        name: "mooncake_conversation.jsonl.zst", requestCount: 12_031, promptTokenCount: 144_793_823,
        outputTokenCount: 4_122_048, longestTokenCount: 126_527, spanMicroseconds: 3_536_999_000),
      Published(
        name: "azure2023_conv.csv.zst", requestCount: 19_366, promptTokenCount: 22_361_870,
        outputTokenCount: 4_088_665, longestTokenCount: 14_089, spanMicroseconds: 3_501_721_937),
    ]
    + (ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil
      ? []
      : [
        Published(
          name: "weka_cc_busy.jsonl.zst", requestCount: 11_567, promptTokenCount: 1_437_733_960,
          outputTokenCount: 5_091_168, longestTokenCount: 881_443, spanMicroseconds: 96_983_428_000)
      ])

  @Test(arguments: published)
  private func `a published trace comes in whole, and blocks of 16 waste under 4 % of it`(trace: Published) throws {
    let workload = try TraceFile(path: "\(Self.folder)/\(trace.name)").workload()
    #expect(workload.requests.count == trace.requestCount)
    #expect(workload.promptTokenCount == trace.promptTokenCount)
    #expect(workload.outputTokenCount == trace.outputTokenCount)
    #expect(workload.longestTokenCount == trace.longestTokenCount)
    #expect(workload.spanMicroseconds == trace.spanMicroseconds)
    #expect(workload.namesPrefixes == trace.name.hasSuffix(".jsonl.zst"))
    for request in workload.requests {
      #expect(request.prefix.count * workload.prefixBlockTokenCount <= request.promptTokenCount)
    }
    var model = ServingModel(capacityTokenCount: 1, maximumTokenCount: workload.longestTokenCount)
    model.capacityTokenCount = BusiestHour(workload, model).capacityTokenCount(workload, model)
    let paged = ServingRun.outcome(workload, model, .paged(blockTokenCount: 16, sharesPrefixes: false))
    #expect(paged.unusedShareOfTaken > 0 && paged.unusedShareOfTaken < 0.04)
    let maximum = ServingRun.outcome(workload, model, .contiguous(.maximum, .first))
    #expect(maximum.unusedShareOfTaken > 0.5 && maximum.share(\.used) < paged.share(\.used))
    #expect(maximum.admittedCount < paged.admittedCount)
  }

  @Test func `requests come in the order of their arrival, with the blocks that are full`() throws {
    let workload = try read(
      """
      {"timestamp": 27.5, "input_length": 1100, "output_length": 7, "hash_ids": [900719925474099, 5, 6], "x": [{}]}

      {"timestamp":3,"session":1,"turn":0,"input_length":512,"output_length":0,"hash_ids":[900719925474099]}
      """)
    #expect(workload.requests.map(\.arrivalMicroseconds) == [0, 24_500])
    #expect(workload.requests.map(\.promptTokenCount) == [512, 1100])
    #expect(workload.prefixBlocks[workload.requests[0].prefix] == [0])
    #expect(workload.prefixBlocks[workload.requests[1].prefix] == [0, 1])
  }

  @Test func `names count where they stand for a full block, however many more there are`() throws {
    let many = (1000..<400_000).map(String.init).joined(separator: ",")
    let workload = try read(
      """
      {"timestamp":0,"hash_ids":[7,5,6],"input_length":1100,"output_length":1}
      {"timestamp":1,"input_length":600,"output_length":1,"hash_ids":[7]}
      {"timestamp":2,"input_length":1,"output_length":1,"hash_ids":[\(many)]}
      {"timestamp":3,"input_length":1024,"output_length":1,"hash_ids":[7,6]}
      """)
    #expect(workload.uniquePrefixBlockCount == 3)
    #expect(workload.requests.map { Array(workload.prefixBlocks[$0.prefix]) } == [[0, 1], [0], [], [0, 2]])
  }

  @Test func `a table's times count to the microsecond, across a leap day`() throws {
    let workload = try read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-02-28 23:59:59.5000000,10,1\r\n"
        + "2024-03-01 00:00:00.2500001,20,2\r\n"
    )
    #expect(workload.spanMicroseconds == 86_400_750_000)
    #expect(workload.requests.map(\.tokenCount) == [11, 22])
  }

  @Test(arguments: [
    ("", "holds no request"), ("\n\n", "holds no request"), ("hello", "line 1, byte 1: no trace"),
    ("{\"timestamp\": 1}", "line 1, byte 17: a request has timestamp"),
    ("{\"timestamp\":1,\"input_length\":2,\"output_length\":3}\n{\"timestamp\":1,", "line 2, byte 16"),
    ("{\"timestamp\":-1,\"input_length\":2,\"output_length\":3}", "a whole number is expected"),
    ("{\"timestamp\":1,\"input_length\":99999999999,\"output_length\":3}", "a number over"),
    (
      "{\"timestamp\":1,\"input_length\":16777216,\"output_length\":1}",
      "line 1, byte 58: a request of 16777217 tokens, prompt and output; at most 16777216"
    ),
    ("{\"timestamp\":1,\"input_length\":0,\"output_length\":3}", "input_length 0"),
    ("{\"timestamp\":1,\"input_length\":1,\"output_length\":3} x", "text after the request"),
    ("{\"a\":" + String(repeating: "[", count: 100), "levels"),
    ("{\"timestamp\":1,\"input_length\":9,\"output_length\":3,\"hash_ids\":[1,]}", "a whole number is expected"),
    ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,1,2", "line 2, byte 1: a time such as"),
    ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1", "line 2, byte 22"),
    ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2,3", "more fields than titles"),
    (
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,9000000,9000000",
      "line 2, byte 36: a request of 18000000 tokens"
    ),
  ])
  func `what is no trace is refused by line and byte`(text: String, words: String) throws {
    let message = try refusal(text)
    #expect(message.contains(words), "\(message)")
  }

  @Test func `a line without an end is refused before it fills the memory`() throws {
    let message = try refusal("{\"a\": \"" + String(repeating: "x", count: 5 << 20))
    #expect(message.contains("line 1: longer than 4 MiB"), "\(message)")
  }

  @Test func `a damaged zstd file is refused, and so is one cut short`() throws {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/azure2023_conv.csv.zst")))
    for damaged in [Array(bytes[..<100_000]), Array(bytes[..<5]), bytes.enumerated().map { $0 == 70_000 ? ~$1 : $1 }] {
      let error = #expect(throws: StoreError.self) { _ = try read(damaged) }
      #expect(error?.code == .damaged, "\(String(describing: error))")
    }
  }

  @Test func `a mutated trace is read or refused, never more`() throws {
    let seedCount = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 400 : 40_000
    let good = [
      "{\"timestamp\": 27, \"input_length\": 1100, \"output_length\": 7, \"hash_ids\": [1, 2], \"s\": \"a\\\"b\"}\n",
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
        + "2023-11-16 18:15:50.99,396,109\n",
    ]
    var (readCount, refusedCount) = (0, 0)
    for seed in 0..<seedCount {
      var draws = SeededDraws(seed: UInt64(seed))
      var bytes = Array(good[seed % 2].utf8)
      for _ in 0...draws.below(4) {
        let place = draws.below(bytes.count)
        switch draws.below(4) {
        case 0: bytes[place] = UInt8(draws.below(256))
        case 1: bytes[place] = bytes[draws.below(bytes.count)]
        case 2: bytes.remove(at: place)
        default: bytes.insert(bytes[draws.below(bytes.count)], at: place)
        }
      }
      do {
        let workload = try read(bytes)
        readCount += 1
        for request in workload.requests {
          #expect(request.promptTokenCount > 0 && request.tokenCount <= ServingWorkload.tokenLimit)
          #expect(request.prefix.upperBound <= workload.prefixBlocks.count)
        }
      } catch let error as StoreError {
        refusedCount += 1
        #expect(error.code == .damaged && error.message.contains("line") || error.message.contains("holds no request"))
      }
    }
    #expect(readCount > 20 && refusedCount > 20, "\(readCount) read, \(refusedCount) refused")
  }
}
