/// Text that is no JSON, or not the JSON that is wanted.
package struct JSONError: Error, Hashable, Sendable {
  package let message: String
  /// Bytes from the text's start to what is wrong.
  package let position: Int

  package init(_ message: String, position: Int) {
    self.message = message
    self.position = position
  }
}

/// A strict reader of JSON without fractions: its caller asks for what must come next, so that nothing nests deeper
/// than the caller goes.
package struct JSONReader {
  private let bytes: [UInt8]
  private let end: Int
  package private(set) var position: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    end = bytes.count
    position = 0
  }

  package func error(_ message: String, at position: Int? = nil) -> JSONError {
    JSONError(message, position: position ?? self.position)
  }

  private mutating func skipWhitespace() {
    while position < end, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
  }

  /// The first byte of what comes next; nil at the end.
  package mutating func peek() -> UInt8? {
    skipWhitespace()
    return position < end ? bytes[position] : nil
  }

  package mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
    skipWhitespace()
    guard position < end, bytes[position] == UInt8(ascii: character) else {
      throw error("\"\(character)\" is expected")
    }
    position += 1
  }

  /// Takes the character where it stands next.
  private mutating func takes(_ character: Unicode.Scalar) -> Bool {
    skipWhitespace()
    guard position < end, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  /// Calls `member` at each value of an object, with its name and the name's position.
  package mutating func object(
    _ member: (inout JSONReader, String, Int) throws(JSONError) -> Void
  ) throws(JSONError) {
    try expect("{")
    if takes("}") { return }
    repeat {
      skipWhitespace()
      let start = position
      let name = try string()
      try expect(":")
      try member(&self, name, start)
    } while takes(",")
    try expect("}")
  }

  /// Calls `element` where each element of an array begins.
  package mutating func array(_ element: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
    try expect("[")
    if takes("]") { return }
    repeat { try element(&self) } while takes(",")
    try expect("]")
  }

  /// Takes a word (`true`, `false`, `null`), which must stand here.
  package mutating func word(_ word: StaticString) throws(JSONError) {
    let length = word.utf8CodeUnitCount
    guard end - position >= length, word.withUTF8Buffer({ $0.elementsEqual(bytes[position..<position + length]) })
    else { throw error("a value is expected") }
    position += length
  }

  /// A whole number, perhaps below 0.
  package mutating func integer() throws(JSONError) -> Int {
    let isNegative = takes("-")
    if isNegative, position < end, !(0x30...0x39).contains(bytes[position]) { throw error("a digit is expected") }
    let value = try wholeNumber()
    if position < end, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[position]) {
      throw error("a whole number is expected, without fraction and exponent")
    }
    return isNegative ? -value : value
  }

  /// An array of whole numbers, `limit` of them at most.
  package mutating func wholeNumbers(limit: Int) throws(JSONError) -> [Int] {
    try expect("[")
    if takes("]") { return [] }
    var numbers: [Int] = []
    repeat {
      guard numbers.count < limit else { throw error("more than \(limit) numbers") }
      numbers.append(try wholeNumber())
    } while takes(",")
    try expect("]")
    return numbers
  }

  private mutating func wholeNumber() throws(JSONError) -> Int {
    skipWhitespace()
    let start = position
    var value = 0
    while position < end, case let digit = bytes[position], (0x30...0x39).contains(digit) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.addingReportingOverflow(Int(digit - 0x30))
      guard !overflow, !overflow2 else { throw error("a number beyond 63 bits", at: start) }
      value = sum
      position += 1
    }
    guard position > start else { throw error("a whole number is expected") }
    guard bytes[start] != 0x30 || position == start + 1 else { throw error("a number with a leading zero", at: start) }
    return value
  }

  package mutating func string() throws(JSONError) -> String {
    try expect("\"")
    let start = position
    var text: [UInt8] = []
    while position < end {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("a string is not UTF-8", at: start)
        }
        return string
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw error("a control character in a string", at: position - 1)
      default: text.append(byte)
      }
    }
    throw error("a string does not end", at: start)
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard position < end else { throw error("a string does not end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      let start = position - 2
      var value = try hexadecimal()
      if (0xd800..<0xdc00).contains(value), position + 1 < end, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try hexadecimal()
        guard (0xdc00..<0xe000).contains(low) else { throw error("half a surrogate pair", at: start) }
        value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw error("half a surrogate pair", at: start) }
      text += Array(String(Character(scalar)).utf8)
    default: throw error("an unknown escape", at: position - 1)
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < end, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        bytes[position] < 0x80
      else { throw error("four hexadecimal digits are expected") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  /// The text may be padded with spaces, and with nothing else.
  package func finish() throws(JSONError) {
    if let index = bytes[position...].firstIndex(where: { $0 != 0x20 }) { throw error("text after its end", at: index) }
  }

  /// A string in JSON's own spelling, quotation marks included.
  package static func quoted(_ text: String) -> [UInt8] {
    var result = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        result += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: result.append(byte)
      }
    }
    return result + [UInt8(ascii: "\"")]
  }
}
