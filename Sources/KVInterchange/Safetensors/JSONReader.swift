/// A strict reader for the JSON of a safetensors header: objects, strings, arrays of whole numbers; nothing nests
/// deeper.
struct JSONReader {
  private let bytes: [UInt8]
  private let end: Int
  private(set) var position: Int
  /// Where the text begins in its file: errors name offsets of the file.
  private let fileOffset: Int

  init(_ bytes: [UInt8], fileOffset: Int) {
    self.bytes = bytes
    self.fileOffset = fileOffset
    end = bytes.count
    position = 0
  }

  func error(_ message: String, at position: Int? = nil) -> FormatError {
    FormatError("header: \(message)", offset: fileOffset + (position ?? self.position))
  }

  private mutating func skipWhitespace() {
    while position < end, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
  }

  mutating func expect(_ character: Unicode.Scalar) throws(FormatError) {
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
  mutating func object(
    _ member: (inout JSONReader, String, Int) throws(FormatError) -> Void
  ) throws(FormatError) {
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

  /// An array of whole numbers, `limit` of them at most.
  mutating func wholeNumbers(limit: Int) throws(FormatError) -> [Int] {
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

  private mutating func wholeNumber() throws(FormatError) -> Int {
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

  mutating func string() throws(FormatError) -> String {
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

  private mutating func escape(into text: inout [UInt8]) throws(FormatError) {
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

  private mutating func hexadecimal() throws(FormatError) -> UInt32 {
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
  func finish() throws(FormatError) {
    if let index = bytes[position...].firstIndex(where: { $0 != 0x20 }) { throw error("text after its end", at: index) }
  }

  /// A string in JSON's own spelling, quotation marks included.
  static func quoted(_ text: String) -> [UInt8] {
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
