/// What is wrong with a line, and at which byte of it.
struct LineFlaw: Error {
  var message: String
  var position: Int
}

/// Reads a line's fields, from left to right: just enough of JSON and of CSV for a trace. Nothing nests deeper than its
/// limit, and nothing is kept that nobody asks for.
struct FieldReader {
  private static let depthLimit = 16

  private let bytes: ArraySlice<UInt8>
  private var index: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    index = bytes.startIndex
  }

  func flaw(_ message: String) -> LineFlaw { LineFlaw(message: message, position: index - bytes.startIndex) }

  private var byte: UInt8? { index < bytes.endIndex ? bytes[index] : nil }

  mutating func skipBlanks() {
    while let byte, byte == 0x20 || byte == 0x09 { index += 1 }
  }

  var isAtEnd: Bool { index == bytes.endIndex }

  /// Takes the character where it stands next.
  mutating func takes(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard byte == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(LineFlaw) {
    guard takes(character) else { throw flaw("\"\(character)\" is expected") }
  }

  /// A whole number of 0 up to `limit`.
  mutating func count(_ limit: Int) throws(LineFlaw) -> Int {
    skipBlanks()
    let start = index
    var value = 0
    while let byte, (0x30...0x39).contains(byte) {
      value = value * 10 + Int(byte - 0x30)
      guard value <= limit else { throw flaw("a number over \(limit)") }
      index += 1
    }
    guard index > start else { throw flaw("a whole number is expected") }
    return value
  }

  /// A number with up to three decimals that count, times a thousand.
  mutating func thousandths(_ limit: Int) throws(LineFlaw) -> Int {
    var value = try count(limit) * 1000
    guard byte == UInt8(ascii: ".") else { return value }
    index += 1
    var scale = 100
    let start = index
    while let byte, (0x30...0x39).contains(byte) {
      value += Int(byte - 0x30) * scale
      scale /= 10
      index += 1
    }
    guard index > start else { throw flaw("digits are expected after the point") }
    return value
  }

  /// A short name between quotation marks.
  mutating func name() throws(LineFlaw) -> String {
    try expect("\"")
    let start = index
    while let byte, byte != UInt8(ascii: "\"") {
      guard byte != UInt8(ascii: "\\"), index - start < 64 else { throw flaw("a name of up to 64 letters is expected") }
      index += 1
    }
    guard byte != nil else { throw flaw("a name does not end") }
    defer { index += 1 }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  /// Goes over a value that nobody needs.
  mutating func skipValue(depth: Int = depthLimit) throws(LineFlaw) {
    skipBlanks()
    guard let first = byte else { throw flaw("a value is expected") }
    switch first {
    case UInt8(ascii: "\""):
      index += 1
      while let byte, byte != UInt8(ascii: "\"") { index += byte == UInt8(ascii: "\\") ? 2 : 1 }
      index = min(index, bytes.endIndex)
      guard byte != nil else { throw flaw("a text does not end") }
      index += 1
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      guard depth > 0 else { throw flaw("more than \(Self.depthLimit) levels") }
      index += 1
      let isObject = first == UInt8(ascii: "{")
      let end: Unicode.Scalar = isObject ? "}" : "]"
      if takes(end) { return }
      repeat {
        if isObject {
          skipBlanks()
          guard byte == UInt8(ascii: "\"") else { throw flaw("a name is expected") }
          try skipValue(depth: 0)
          try expect(":")
        }
        try skipValue(depth: depth - 1)
      } while takes(",")
      try expect(end)
    default:
      let start = index
      while let byte, !", \t]}:".utf8.contains(byte) { index += 1 }
      guard index > start else { throw flaw("a value is expected") }
    }
  }

  /// The next field of a line of values with commas between them.
  mutating func field() -> ArraySlice<UInt8> {
    let end = bytes[index...].firstIndex(of: UInt8(ascii: ",")) ?? bytes.endIndex
    defer { index = min(end + 1, bytes.endIndex) }
    return bytes[index..<end]
  }
}
