extension JSONValue {
  /// How deep arrays and objects may nest, and how long a text may be.
  package struct ParsingLimits: Sendable {
    package var depth = 8
    package var byteCount = 16 << 20

    package init(depth: Int = 8, byteCount: Int = 16 << 20) {
      self.depth = depth
      self.byteCount = byteCount
    }
  }

  /// Reads a document, strictly: one value, no member twice, whole numbers of 63 bits and a sign only.
  package init(parsing text: String, limits: ParsingLimits = ParsingLimits()) throws(JSONError) {
    guard text.utf8.count <= limits.byteCount else {
      throw JSONError("\(text.utf8.count) bytes of JSON, \(limits.byteCount) at most", position: limits.byteCount)
    }
    var reader = JSONReader(Array(text.utf8))
    self = try Self.value(&reader, depth: limits.depth)
    guard reader.peek() == nil else { throw reader.error("text after its end") }
  }

  private static func value(_ reader: inout JSONReader, depth: Int) throws(JSONError) -> JSONValue {
    guard let first = reader.peek() else { throw reader.error("a value is expected") }
    switch first {
    case UInt8(ascii: "\""): return .string(try reader.string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try reader.integer())
    case UInt8(ascii: "t"):
      try reader.word("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try reader.word("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try reader.word("null")
      return .null
    case UInt8(ascii: "["):
      try requireDepth(depth, reader)
      var values: [JSONValue] = []
      try reader.array { (reader) throws(JSONError) in values.append(try value(&reader, depth: depth - 1)) }
      return .array(values)
    case UInt8(ascii: "{"):
      try requireDepth(depth, reader)
      var members: [String: JSONValue] = [:]
      try reader.object { (reader, name, start) throws(JSONError) in
        guard members[name] == nil else { throw reader.error("\"\(name)\" stands twice", at: start) }
        members[name] = try value(&reader, depth: depth - 1)
      }
      return .object(members)
    default: throw reader.error("a value is expected")
    }
  }

  private static func requireDepth(_ depth: Int, _ reader: JSONReader) throws(JSONError) {
    guard depth > 0 else { throw reader.error("too many levels") }
  }
}
