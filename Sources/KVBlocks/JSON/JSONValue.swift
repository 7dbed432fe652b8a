/// A JSON document, written and read without Foundation.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case unsigned(UInt64)
  /// Not a number and the infinities, which JSON has no words for, are written as null.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The document as text, keys in order; indented by two spaces a level, or all in one line.
  package func text(isIndented: Bool = true) -> String {
    var text = ""
    write(to: &text, depth: isIndented ? 0 : nil)
    return text
  }

  private func write(to text: inout String, depth: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .unsigned(let value): text += String(value)
    case .number(let value): text += value.isFinite ? String(value) : "null"
    case .string(let value): Self.write(value, to: &text)
    case .array(let values):
      Self.write("[", "]", values.count, to: &text, depth: depth) { index, text, depth in
        values[index].write(to: &text, depth: depth)
      }
    case .object(let members):
      // By bytes, so that the order depends neither on the locale nor on Unicode's.
      let keys = members.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      Self.write("{", "}", keys.count, to: &text, depth: depth) { index, text, depth in
        Self.write(keys[index], to: &text)
        text += depth == nil ? ":" : ": "
        members[keys[index], default: .null].write(to: &text, depth: depth)
      }
    }
  }

  private static func write(
    _ opening: String, _ closing: String, _ count: Int, to text: inout String, depth: Int?,
    element: (Int, inout String, Int?) -> Void
  ) {
    text += opening
    let inner = depth.map { $0 + 1 }
    for index in 0..<count {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: "  ", count: inner) }
      element(index, &text, inner)
    }
    if let depth, count > 0 { text += "\n" + String(repeating: "  ", count: depth) }
    text += closing
  }

  private static func write(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // Control characters must be escaped; the two line separators break JavaScript and terminals.
      case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { _, last in last })
  }
  package init(nilLiteral: ()) { self = .null }
}

/// A fact that can be told as JSON.
package protocol JSONConvertible {
  var json: JSONValue { get }
}

extension JSONValue {
  package init(_ values: [some JSONConvertible]) { self = .array(values.map(\.json)) }
  package init(_ value: String?) { self = value.map { .string($0) } ?? .null }
  package init(_ value: UInt64?) { self = value.map { .unsigned($0) } ?? .null }
}
