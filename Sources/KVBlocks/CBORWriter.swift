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

  private mutating func head(major: UInt8, _ value: UInt64) {
    withUnsafeTemporaryAllocation(byteCount: CBORHead.byteCountLimit, alignment: 8) { head in
      let count = CBORHead.write(major: major, value, to: head, at: 0)
      bytes.append(contentsOf: head[..<count])
    }
  }
}

/// An item's first bytes: its major type, and its value or length in the fewest bytes.
enum CBORHead {
  static let byteCountLimit = 9

  /// Writes a head at `offset`, for which `bytes` has room. Returns where it ends.
  @inline(__always)
  static func write(major: UInt8, _ value: UInt64, to bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    let kind = major << 5
    switch value {
    case 0..<24:
      bytes[offset] = kind | UInt8(value)
      return offset + 1
    case 24..<0x100:
      bytes[offset] = kind | 24
      bytes[offset + 1] = UInt8(value)
      return offset + 2
    case 0x100..<0x1_0000:
      bytes[offset] = kind | 25
      bytes.storeBytes(of: UInt16(value).bigEndian, toByteOffset: offset + 1, as: UInt16.self)
      return offset + 3
    case 0x1_0000..<0x1_0000_0000:
      bytes[offset] = kind | 26
      bytes.storeBytes(of: UInt32(value).bigEndian, toByteOffset: offset + 1, as: UInt32.self)
      return offset + 5
    default:
      bytes[offset] = kind | 27
      bytes.storeBytes(of: value.bigEndian, toByteOffset: offset + 1, as: UInt64.self)
      return offset + 9
    }
  }

  /// A whole integer, which is its head.
  @inline(__always)
  static func write(_ value: Int64, to bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    value >= 0
      ? write(major: 0, UInt64(value), to: bytes, at: offset)
      : write(major: 1, UInt64(-1 - value), to: bytes, at: offset)
  }
}
