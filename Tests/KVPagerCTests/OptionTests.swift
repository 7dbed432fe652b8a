import CKVPager
import Foundation
import KVSimulation
import Testing

@Suite struct `JSON from a caller` {
  static let wrongOptions = [
    "", "[]", "null", "1", "{", "{\"access\": \"delete\"}", "{\"access\": 1}", "{\"memoryBytes\": 0}",
    "{\"memoryBytes\": -1}", "{\"memoryBytes\": \"64MiB\"}", "{\"memoryBytes\": 9223372036854775807}",
    "{\"memoryBytes\": 1.5}", "{\"quotaBytes\": 0}", "{\"loadThreads\": 257}", "{\"loadThreads\": -1}",
    "{\"writeBatchBytes\": 0}", "{\"mapBytes\": 1}", "{\"mapBytes\": 9223372036854775807}",
    "{\"durability\": \"none\"}",
    "{\"memorybytes\": 1}", "{\"access\": \"read\", \"access\": \"read\"}",
    String(repeating: "[", count: 100_000), "{\"a\": " + String(repeating: " ", count: 17 << 20) + "1}",
  ]

  @Test(arguments: wrongOptions.indices)
  func `wrong options open no store`(index: Int) {
    let folder = TemporaryFolder()
    var store: kvpager_store = 0
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_store_open(folder.store, Self.wrongOptions[index], &store))
    #expect(lastError.contains("options"))
    #expect(store == 0 && !FileManager.default.fileExists(atPath: folder.store))
  }

  static let plane = #"{"kind": "keys", "layer": 0, "type": "f16", "rowBytes": 4}"#

  @Test(arguments: [
    "{}", #"{"model": "m"}"#, #"{"planes": [\#(plane)]}"#, #"{"model": 1, "planes": [\#(plane)]}"#,
    #"{"model": "m", "planes": []}"#, #"{"model": "m", "planes": [1]}"#, #"{"model": "m", "planes": {}}"#,
    #"{"model": "m", "planes": [\#(plane), \#(plane)]}"#, #"{"model": "m", "planes": [\#(plane)], "blockTokens": 0}"#,
    #"{"model": "m", "planes": [\#(plane)], "blockTokens": 65537}"#, #"{"model": "m", "planes": [\#(plane)], "id": 1}"#,
    #"{"model": "m", "planes": [\#(plane)], "settings": {"a": 1}}"#,
    #"{"model": "m", "planes": [{"kind": "queries", "layer": 0, "type": "f16", "rowBytes": 4}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": -1, "type": "f16", "rowBytes": 4}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "f8", "rowBytes": 4}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "f16", "rowBytes": 3}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "f16", "rowBytes": 16777217}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "f16"}]}"#,
    #"{"model": "m", "planes": [{"kind": "keys", "layer": 0, "type": "f16", "rowBytes": 4, "heads": 1}]}"#,
    #"{"model": "m", "blockTokens": 65536, "planes": [{"kind":"keys","layer":0,"type":"raw","rowBytes":16777216}]}"#,
  ])
  func `a wrong descriptor opens no space`(descriptor: String) {
    let fixture = Fixture()
    var space: kvpager_space = 0
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_space_open(fixture.store, descriptor, &space))
    #expect(space == 0)
  }

  @Test func `a space's description opens the very space`() throws {
    let fixture = Fixture()
    var space: kvpager_space = 0
    let descriptor =
      #"{"model": "é \"q\"", "adapter": "a", "settings": {"rope": "1"}, "salt": "s", "vllmSeed": null, "#
      + #""blockTokens": 7, "planes": [\#(Self.plane)]}"#
    ok(kvpager_space_open(fixture.store, descriptor, &space))
    let described = text { kvpager_space_describe(space, $0) }
    let facts = try #require(
      try JSONSerialization.jsonObject(with: Data(described.utf8)) as? [String: Any])
    #expect(facts["model"] as? String == "é \"q\"" && facts["tokenBytes"] as? Int == 4)
    var again = facts
    for name in ["id", "root", "tokenBytes"] { again[name] = nil }
    let text2 = String(decoding: try JSONSerialization.data(withJSONObject: again), as: UTF8.self)
    ok(kvpager_space_open(fixture.store, text2, &space))
    #expect(text { kvpager_space_describe(space, $0) } == described)
  }

  @Test(arguments: [
    #"{"format": "gguf"}"#, #"{"version": 1}"#, #"{"version": 5}"#, #"{"streams": 0}"#, #"{"streams": 4097}"#,
    #"{"streams": 2, "stream": 2}"#, #"{"sequence": -1}"#, #"{"rotation": [1]}"#, #"{"rotation": [1, -1]}"#,
    #"{"transposed": 1}"#, #"{"format": "llama-session"}"#, #"{"format": "safetensors", "version": 4}"#,
    #"{"format": "safetensors", "heads": 5}"#, #"{"tokens": 4}"#,
  ])
  func `wrong options export nothing`(options: String) {
    let fixture = Fixture()
    var size: Int64 = -1
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_session_export(fixture.session, -1, options, nil, 0, &size))
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_prefix_export(fixture.prefix, -1, options, nil, 0, &size))
    #expect(size == -1)
  }

  @Test func `a state's shape writes a state of that shape`() throws {
    let fixture = Fixture()
    let described = text { kvpager_state_describe(fixture.state, $0) }
    let facts = try #require(try JSONSerialization.jsonObject(with: Data(described.utf8)) as? [String: Any])
    let shape = String(
      decoding: try JSONSerialization.data(withJSONObject: try #require(facts["shape"])), as: UTF8.self)
    var size: Int64 = 0
    ok(kvpager_prefix_export(fixture.prefix, -1, shape, nil, 0, &size))
    var bytes = [UInt8](repeating: 0, count: Int(size))
    ok(kvpager_prefix_export(fixture.prefix, -1, shape, &bytes, size, &size))
    #expect(try bytes == [UInt8](Data(contentsOf: URL(filePath: Fixture.samplePath))))
  }

  @Test func `settings of a state join its space, and none may differ`() {
    let fixture = Fixture()
    var space: kvpager_space = 0
    ok(kvpager_state_space(fixture.state, fixture.store, #"{"model": "m", "settings": {"rope": "1"}}"#, &space))
    let described = text { kvpager_space_describe(space, $0) }
    #expect(described.contains(#""rope":"1""#) && described.contains(#""llama.version":"4""#))
    let other = #"{"model": "m", "settings": {"llama.version": "3"}}"#
    gives(KVPAGER_INVALID_ARGUMENT, kvpager_state_space(fixture.state, fixture.store, other, &space))
    #expect(lastError.contains("llama.version"))
  }
}
