import Foundation
import Testing

@testable import KVBlocks

@Suite struct `JSON without Foundation` {
  @Test func `keys are in order and text is escaped`() {
    let value: JSONValue = ["b": [1, true, nil], "a": "say \"hi\"\\\n\u{1}\u{2028}é🙂", "c": .unsigned(.max)]
    #expect(
      value.text(isIndented: false)
        == #"{"a":"say \"hi\"\\\n\u0001\u2028é🙂","b":[1,true,null],"c":18446744073709551615}"#)
  }

  @Test func `empty collections stay on one line`() {
    #expect(JSONValue.object(["a": .array([]), "b": .object([:])]).text() == "{\n  \"a\": [],\n  \"b\": {}\n}")
  }

  @Test func `another parser reads every character back`() throws {
    let scalars = (0..<0x3000).compactMap { Unicode.Scalar($0) }
    let text = String(String.UnicodeScalarView(scalars))
    let data = Data(JSONValue.object(["text": .string(text)]).text().utf8)
    let parsed = try #require(try JSONSerialization.jsonObject(with: data) as? [String: String])
    #expect(Array(parsed["text", default: ""].unicodeScalars) == scalars)
  }
}

@Suite struct `JSON is read strictly` {
  @Test func `what is written is read back`() throws {
    let value: JSONValue = [
      "a": [0, -1, .integer(.max), -9_223_372_036_854_775_807], "b": ["c": nil, "d": true, "e": false], "": "é\u{1}🙂\\",
      "empty": [[], [:]],
    ]
    #expect(try JSONValue(parsing: value.text()) == value)
    #expect(try JSONValue(parsing: " \t\r\n" + value.text(isIndented: false) + "\n") == value)
  }

  @Test(arguments: [
    "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "{a:1}", "tru", "nul", "True", "1.5",
    "1e3", "01", "-", "- 1", "+1", "9223372036854775808", "\"", "\"\\x\"", "\"\\ud800\"", "\"\n\"", "[1]]", "1 2",
    "'a'",
    "NaN", "/**/1",
  ])
  func `anything else is refused with its place`(text: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error.map { (0...text.utf8.count).contains($0.position) } == true)
  }

  @Test func `depth and length are bounded`() throws {
    let limits = JSONValue.ParsingLimits(depth: 3, byteCount: 10)
    #expect(try JSONValue(parsing: "[[[1]]]", limits: limits) == [[[1]]])
    #expect(throws: JSONError.self) { try JSONValue(parsing: "[[[[]]]]", limits: limits) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: "[[1, 2, 3]]", limits: limits) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 1_000_000)) }
  }
}
