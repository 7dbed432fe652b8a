import CKernels

/// What happens to a plane's rows before compression. Numbers are part of the format and never change their meaning.
package enum PlaneFilter: UInt8, Hashable, Sendable, CaseIterable {
  /// The rows as they are.
  case none = 0
  /// XOR with the row before, Gray code, bit planes; sparse planes packed. See ``FrameHeader``.
  case bitPlanes = 1
}

/// What compresses a plane's bytes. Numbers are part of the format and never change their meaning.
package enum PlaneCompressor: UInt8, Hashable, Sendable, CaseIterable {
  case none = 0
  /// LZ4's block format.
  case lz4 = 1
}

package enum FrameFormat {
  /// "KVPFRAME", read as a little-endian number.
  static let magic: UInt64 = 0x454d_4152_4650_564b
  static let version: UInt16 = 1
  static let fixedHeaderByteCount = 112
  static let planeEntryByteCount = 24
  static let checksumByteCount = 8
  /// A blob is cut into planes of this many bytes, the last one shorter, so that each needs little memory.
  static let blobPieceByteCount = 1 << 20
  /// Of each part of a plane under ``PlaneFilter/bitPlanes``: packed bytes, stored packed bytes, mask of sparse planes.
  static let partHeadByteCount = 12

  /// XXH3-64, seed 0.
  static func checksum(_ bytes: UnsafeRawPointer?, _ count: Int) -> UInt64 {
    kv_checksum(kv_best_level(), bytes, count)
  }

  /// Header bytes, checksum included, a multiple of 8.
  package static func headerByteCount(planeCount: Int, tokenCount: Int, extraByteCount: Int) -> Int {
    let body = fixedHeaderByteCount + planeCount * planeEntryByteCount + tokenCount * 4 + extraByteCount
    return (body + 7) & ~7 + checksumByteCount
  }
}

extension UnsafeRawBufferPointer {
  /// The little-endian integer at `offset`. - Precondition: it lies within the buffer.
  func littleEndian<T: FixedWidthInteger>(_ offset: Int, as type: T.Type = T.self) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension UnsafeMutableRawPointer {
  func storeLittleEndian(_ value: some FixedWidthInteger, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
  }
}
