import KVBlocks
import KVCodec
import KVInterchange

/// Rows with real statistics, plane after plane in memory, for any number of tokens and any width.
final class Rows {
  let planes: [PlaneLayout]
  let tokenCount: Int
  private let memory: [UnsafeMutableRawBufferPointer]

  /// - Parameters:
  ///   - sample: a file whose rows are repeated over the tokens.
  ///   - rowByteCount: of each plane; wider than the sample's, a row is made of several planes' rows of one token.
  init(sample path: String, planeCount: Int, rowByteCount: Int, tokenCount: Int) throws {
    let state = try EngineFile.read(try ByteSource(path: path))
    let source = state.planes.map {
      UnsafeMutableRawBufferPointer.allocate(byteCount: $0.rowByteCount * state.rowCount, alignment: 64)
    }
    for index in source.indices { try state.copyRows(plane: index, rows: 0..<state.rowCount, into: source[index]) }
    let sourceRow = state.planes[0].rowByteCount
    planes = (0..<planeCount).map {
      PlaneLayout(
        Plane($0 < planeCount / 2 ? .keys : .values, layer: $0 % (planeCount / 2)),
        elementType: state.planes[0].elementType, rowByteCount: rowByteCount)
    }
    self.tokenCount = tokenCount
    memory = (0..<planeCount).map { plane in
      let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: rowByteCount * tokenCount, alignment: 64)
      for token in 0..<tokenCount {
        var column = 0
        var from = plane
        while column < rowByteCount {
          let count = min(sourceRow, rowByteCount - column)
          let start = token % state.rowCount * sourceRow
          UnsafeMutableRawBufferPointer(
            rebasing: rows[token * rowByteCount + column..<token * rowByteCount + column + count]
          )
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from % source.count][start..<start + count]))
          column += count
          from += 1
        }
      }
      return rows
    }
    for buffer in source { buffer.deallocate() }
  }

  deinit { for buffer in memory { buffer.deallocate() } }

  var byteCount: Int { memory.reduce(0) { $0 + $1.count } }

  func rows(ofPlane plane: Int, _ tokens: Range<Int>) -> UnsafeRawBufferPointer {
    let row = planes[plane].rowByteCount
    return UnsafeRawBufferPointer(rebasing: memory[plane][tokens.lowerBound * row..<tokens.upperBound * row])
  }

  /// One memcpy of everything, plane by plane.
  func copy(into destination: UnsafeMutableRawBufferPointer) {
    var start = 0
    for plane in memory {
      UnsafeMutableRawBufferPointer(rebasing: destination[start..<start + plane.count])
        .copyMemory(from: UnsafeRawBufferPointer(plane))
      start += plane.count
    }
  }
}

/// The frames of all blocks, encoded and not: what the codec's own speed is measured on.
final class Frames {
  let layout: BlockLayout
  let descriptors: [BlockDescriptor]
  let raw: [UnsafeMutableRawBufferPointer]
  let encoded: [UnsafeMutableRawBufferPointer]

  init(_ rows: Rows, layout: BlockLayout) throws {
    self.layout = layout
    var encoder = BlockEncoder()
    var descriptors: [BlockDescriptor] = []
    var raw: [UnsafeMutableRawBufferPointer] = []
    var encoded: [UnsafeMutableRawBufferPointer] = []
    var parent = BlockHash(bytes: [UInt8](repeating: 1, count: 32))
    for start in stride(from: 0, to: rows.tokenCount, by: layout.blockTokenCount) {
      let tokens = start..<min(start + layout.blockTokenCount, rows.tokenCount)
      let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: layout.frameByteCount, alignment: 64)
      for plane in layout.planes.indices {
        UnsafeMutableRawBufferPointer(rebasing: frame[layout.byteRange(ofPlane: plane, rows: 0..<tokens.count)])
          .copyMemory(from: rows.rows(ofPlane: plane, tokens))
      }
      let block = BlockDescriptor(space: SpaceID(rawValue: 1), parent: parent, tokens: tokens.map { Token($0) })
      parent = block.key.hash
      let bytes = try encoder.encode(block, layout: layout, frame: UnsafeRawBufferPointer(frame))
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
      copy.copyMemory(from: bytes)
      descriptors.append(block)
      raw.append(frame)
      encoded.append(copy)
    }
    self.descriptors = descriptors
    self.raw = raw
    self.encoded = encoded
  }

  deinit { for buffer in raw + encoded { buffer.deallocate() } }

  var encodedByteCount: Int { encoded.reduce(0) { $0 + $1.count } }

  func encodeAll(_ indices: some Sequence<Int>) throws {
    var encoder = BlockEncoder()
    for index in indices {
      _ = try encoder.encode(descriptors[index], layout: layout, frame: UnsafeRawBufferPointer(raw[index]))
    }
  }

  /// Decodes into the frames themselves: what they hold stays the same.
  func decodeAll(_ indices: some Sequence<Int>) throws {
    var decoder = BlockDecoder()
    for index in indices {
      _ = try decoder.decode(
        FramePieces([UnsafeRawBufferPointer(encoded[index])]), layout: layout, expecting: descriptors[index].key,
        into: raw[index])
    }
  }
}
