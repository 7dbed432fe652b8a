/// A block's identity: SHA-256 over canonical CBOR of [parent, tokens, extra] (vLLM's `sha256_cbor`, see
/// ``ChainHash``).
///
/// A value of its own, never interchangeable with a `FrameIndex`. Because it is already a digest, its first word
/// serves hash tables directly.
public struct BlockHash: Sendable {
  /// The digest's 32 bytes as four words in memory order, so that a hash is compared and copied in registers.
  @usableFromInline package let words: (UInt64, UInt64, UInt64, UInt64)

  public static let byteCount = 32

  /// Reads 32 bytes. - Precondition: `bytes.count == 32`.
  public init(bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == Self.byteCount, "a block hash has 32 bytes")
    words = (
      bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
      bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
      bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
      bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    )
  }

  /// Reads 32 bytes. - Precondition: `bytes.count == 32`.
  public init(bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { BlockHash(bytes: $0) }
  }

  /// Reads 64 hexadecimal digits; nil for anything else.
  public init?(hex: String) {
    guard let bytes = Hex.bytes(of: hex), bytes.count == Self.byteCount else { return nil }
    self.init(bytes: bytes)
  }

  @inlinable
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    var copy = words
    return try Swift.withUnsafeBytes(of: &copy) { raw throws(E) in try body(raw) }
  }

  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

extension BlockHash: Hashable {
  @inlinable
  public static func == (a: BlockHash, b: BlockHash) -> Bool {
    a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
  }

  @inlinable
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension BlockHash: CustomStringConvertible {
  /// 64 hexadecimal digits.
  public var description: String { Hex.string(of: bytes) }
  /// The first 12 hexadecimal digits, for people.
  public var shortDescription: String { String(description.prefix(12)) }
}
