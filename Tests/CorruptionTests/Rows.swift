import KVBlocks
import KVCodec

/// The rows of a frame in memory.
enum Rows {
  static func decode(_ frame: [UInt8], _ key: BlockKey, _ layout: BlockLayout) -> [UInt8]? {
    var rows = [UInt8](repeating: 0, count: layout.frameByteCount)
    var decoder = BlockDecoder()
    let isDecoded = frame.withUnsafeBytes { raw in
      rows.withUnsafeMutableBytes { rows in
        (try? decoder.decode(FramePieces([raw]), layout: layout, expecting: key, into: rows)) != nil
      }
    }
    return isDecoded ? rows : nil
  }
}
