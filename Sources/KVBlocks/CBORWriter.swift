/// Canonical CBOR (RFC 8949, section 4.2.1) of the few shapes that a block hash needs: shortest heads, definite
/// lengths.
package struct CBORWriter {
  package private(set) var bytes: [UInt8] = []

  package init(capacity: Int = 64) { bytes.reserveCapacity(capacity) }

  package mutating func null() { bytes.append(0xf6) }
  package mutating func array(count: Int) { head(major: 4, UInt64(count)) }
  package mutating func unsigned(_ value: UInt64) { head(major: 0, value) }

  package mutating func integer(_ value: Int64) {
    value >= 0 ? head(major: 0, UInt64(value)) : head(major: 1, UInt64(-1 - value))
  }

  package mutating func text(_ value: String) {
    let utf8 = Array(value.utf8)
    head(major: 3, UInt64(utf8.count))
    bytes.append(contentsOf: utf8)
  }

  package mutating func byteString(_ value: UnsafeRawBufferPointer) {
    head(major: 2, UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  /// Splices in bytes that are canonical CBOR already.
  package mutating func encoded(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  @inline(__always)
  private mutating func head(major: UInt8, _ value: UInt64) {
    let kind = major << 5
    switch value {
    case 0..<24:
      bytes.append(kind | UInt8(value))
    case 24..<0x100:
      bytes.append(kind | 24)
      bytes.append(UInt8(value))
    case 0x100..<0x1_0000:
      bytes.append(kind | 25)
      bigEndian(UInt16(value))
    case 0x1_0000..<0x1_0000_0000:
      bytes.append(kind | 26)
      bigEndian(UInt32(value))
    default:
      bytes.append(kind | 27)
      bigEndian(value)
    }
  }

  @inline(__always)
  private mutating func bigEndian(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
