import Crypto

/// SHA-256 over rows given piece by piece.
package struct RowDigest {
  private var hasher = SHA256()

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bufferPointer: bytes) }

  package func finalize() -> BlockHash { hasher.finalize().withUnsafeBytes { BlockHash(bytes: $0) } }
}
