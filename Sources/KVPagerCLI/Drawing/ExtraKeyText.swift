/// A block's extra keys for people: canonical CBOR of arrays, texts and whole numbers.
enum ExtraKeyText {
  private static let nestingLimit = 4

  /// "lora=name; mm=id,12"; nil where there are none. What cannot be read is told by its size.
  static func text(_ encoded: [UInt8]) -> String? {
    guard encoded != [0xf6], !encoded.isEmpty else { return nil }
    var offset = 0
    guard let text = item(encoded, &offset, nesting: 0), offset == encoded.count else {
      return "\(encoded.count) bytes that cannot be read"
    }
    return text
  }

  private static func item(_ bytes: [UInt8], _ offset: inout Int, nesting: Int) -> String? {
    guard let (major, value) = head(bytes, &offset) else { return nil }
    switch major {
    case 0: return String(value)
    case 1: return "-\(value &+ 1)"
    case 2, 3:
      guard value <= UInt64(bytes.count - offset) else { return nil }
      let content = bytes[offset..<offset + Int(value)]
      offset += Int(value)
      return major == 3 ? String(validating: content, as: UTF8.self) : "\(value) bytes"
    case 4:
      // Each element takes a byte at least.
      guard nesting < nestingLimit, value <= UInt64(bytes.count - offset) else { return nil }
      var parts: [String] = []
      for _ in 0..<value {
        guard let part = item(bytes, &offset, nesting: nesting + 1) else { return nil }
        parts.append(part)
      }
      guard nesting > 0, let name = parts.first else { return parts.joined(separator: "; ") }
      return "\(name)=\(parts.dropFirst().joined(separator: ","))"
    default: return nil
    }
  }

  private static func head(_ bytes: [UInt8], _ offset: inout Int) -> (major: UInt8, value: UInt64)? {
    guard offset < bytes.count else { return nil }
    let (major, small) = (bytes[offset] >> 5, bytes[offset] & 31)
    offset += 1
    guard small >= 24 else { return (major, UInt64(small)) }
    guard small <= 27, case let count = 1 << Int(small - 24), count <= bytes.count - offset else { return nil }
    let value = bytes[offset..<offset + count].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    offset += count
    return (major, value)
  }
}
