import Foundation
import Testing

@testable import KVInspection

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
