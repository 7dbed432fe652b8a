import CSystemXXHash

/// The checksum of everything that is stored: XXH3, 64 bits, seed 0.
package enum StoredChecksum {
  package static func xxh3(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    XXH3_64bits(bytes.baseAddress, bytes.count)
  }
}
