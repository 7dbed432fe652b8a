import KVBlocks

/// What a frame says of itself: enough to salvage its block, or blob, with no table at all.
///
/// Frame format 1, byte by byte. All integers are little-endian.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | magic, the ASCII text `KVPFRAME` |
/// | 8 | 2 | version of the frame format: 1 |
/// | 10 | 1 | kind: 0 block, 1 blob |
/// | 11 | 1 | zero |
/// | 12 | 4 | bytes of the header, checksum included: a multiple of 8 |
/// | 16 | 8 | bytes of the frame: the header and the stored planes |
/// | 24 | 4 | cache space |
/// | 28 | 4 | tokens in a full block of the layout; 0 for a blob |
/// | 32 | 32 | hash: a block's identity, or the blob's identifier |
/// | 64 | 32 | the parent's hash; zero for a blob |
/// | 96 | 4 | `t`: tokens in this block; 0 for a blob |
/// | 100 | 4 | `x`: bytes of the extra keys' CBOR; 0 for a blob |
/// | 104 | 4 | `p`: planes |
/// | 108 | 4 | zero |
/// | 112 | 24 p | one entry for each plane |
/// | | 4 t | token ids |
/// | | x | extra keys |
/// | | 0-7 | zeros up to a multiple of 8 |
/// | | 8 | XXH3-64 (seed 0) of all header bytes before it |
///
/// A plane's entry:
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | plane kind: 0 keys, 1 values |
/// | 1 | 1 | element type, ``ElementType``'s number |
/// | 2 | 1 | filter: 0 none, 1 bit planes |
/// | 3 | 1 | compressor: 0 none, 1 LZ4 |
/// | 4 | 4 | layer |
/// | 8 | 4 | bytes of one token's row; for a blob's plane, all its bytes |
/// | 12 | 4 | stored bytes |
/// | 16 | 8 | XXH3-64 (seed 0) of the stored bytes |
///
/// The planes' stored bytes follow the header in the entries' order, without gaps. A plane's raw bytes are `t` rows
/// (a blob: one), token-major.
///
/// **Filter none**: the raw bytes, or an LZ4 block of them.
///
/// **Filter bit planes**: rows fall into parts: f16, bf16, f32 and i8 are one part each; q8_0 and q4_0 are two, all
/// scales of a row (f16), then all its values (signed bytes; bytes of two nibbles). In each part each element is XORed
/// with the same element of the row before (the first row is left as it is), then every bit of the mask below is XORed
/// with the bit above it, which makes a step of one in an exponent a change of one bit. Bits of equal weight then make
/// a bit plane: the rows are taken in groups of 8, and byte `c` of group `g` holds column `c`, row `8g + i` in bit `i`.
/// Each row that is left over is cut into 8 strips of `floor(columns / 8)` elements, which stand for the 8 rows.
/// Columns left over even then are the rest: whole elements as they were, row by row.
///
/// | part | element bytes | Gray mask |
/// |---|---|---|
/// | f16 | 2 | `0x3c00` |
/// | bf16 | 2 | `0x3f80` |
/// | f32 | 4 | `0x3f800000` |
/// | i8 | 1 | `0x7f` |
/// | nibbles | 1 | `0x77` |
///
/// Stored for each part, one after the other: u32 bytes of its packed section, u32 bytes of that section as stored, u32
/// mask of the planes that are sparse (bit `b`: the plane of weight `b`); the packed section, an LZ4 block of it where
/// the compressor is LZ4 and it is stored in fewer bytes than it has; the planes that are not sparse, the most
/// significant first; the rest. The packed section holds, for each sparse plane, the most significant first, a bitmap
/// (bit `i` of byte `j`: whether byte `8j + i` of the plane is not zero); then for each sparse plane in the same order
/// those bytes.
package struct FrameHeader: Hashable, Sendable {
  package enum Kind: UInt8, Hashable, Sendable {
    case block = 0
    /// Opaque bytes under an identifier: a session's checkpoint.
    case blob = 1
  }

  package struct PlaneEntry: Hashable, Sendable {
    package let layout: PlaneLayout
    package let filter: PlaneFilter
    package let compressor: PlaneCompressor
    /// Where the stored bytes begin in the frame.
    package let offset: Int
    package let storedByteCount: Int
    package let rawByteCount: Int
    /// XXH3-64 of the stored bytes.
    package let checksum: UInt64
  }

  package let kind: Kind
  package let key: BlockKey
  package let parent: BlockHash
  package let tokens: [Token]
  /// Canonical CBOR of the extra keys; empty for a blob.
  package let encodedExtra: [UInt8]
  /// Tokens in a full block of the layout; 0 for a blob.
  package let blockTokenCount: Int
  package let planes: [PlaneEntry]
  package let headerByteCount: Int
  package let frameByteCount: Int

  /// Reads and verifies a frame's header. The pieces need not hold more than the header.
  package static func parse(_ pieces: FramePieces) throws(FrameError) -> FrameHeader {
    var scratch = Scratch()
    let view = try FrameHeaderView(pieces, scratch: &scratch)
    return try view.header()
  }

  /// Bytes of rows, or of the blob, before the codec.
  package var rawByteCount: Int { planes.reduce(0) { $0 + $1.rawByteCount } }

  package var descriptor: BlockDescriptor {
    BlockDescriptor(key: key, parent: parent, tokens: tokens, encodedExtra: encodedExtra)
  }

  /// The layout that the block was stored under.
  package func layout() throws(FrameError) -> BlockLayout {
    guard kind == .block else { throw FrameError("a blob has no layout") }
    do {
      return try BlockLayout(blockTokenCount: blockTokenCount, planes: planes.map(\.layout))
    } catch {
      throw FrameError("the header's layout: \(error.message)")
    }
  }
}
