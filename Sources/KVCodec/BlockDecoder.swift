import CKernels
import KVBlocks

/// Reads frames. Not for two threads at once; keeps its buffers, so that a steady state allocates nothing large.
///
/// Nothing in a frame is believed before it is checked; each failure is a ``FrameError``. Where one is thrown, the
/// destination's bytes mean nothing.
package struct BlockDecoder: ~Copyable {
  var planeDecoder: PlaneDecoder
  var headerScratch = Scratch()
  var gathered = Scratch()
  var rowScratch = Scratch()

  package init() { self.init(level: kv_best_level()) }

  /// `level`: one of the kernels' levels that this processor has.
  init(level: Int32) { planeDecoder = PlaneDecoder(level: level) }

  /// Decodes all rows into `frame`, a frame of `layout`: plane by plane, each verified first. Returns the block's
  /// tokens.
  package mutating func decode(
    _ pieces: FramePieces, layout: BlockLayout, expecting key: BlockKey, into frame: UnsafeMutableRawBufferPointer
  ) throws(FrameError) -> Int {
    precondition(frame.count >= layout.frameByteCount, "the frame is smaller than its layout")
    let view = try FrameHeaderView(pieces, scratch: &headerScratch)
    try Self.check(view, pieces, kind: .block, key: key)
    try Self.check(view, layout)
    var offset = view.headerByteCount
    for index in 0..<view.planeCount {
      let entry = try Self.entry(view, index, offset: offset, layout)
      let start = layout.planeOffset(index)
      try planeDecoder.decode(
        pieces.contiguous(offset..<offset + entry.storedByteCount, scratch: &gathered), entry: entry,
        rowCount: view.tokenCount,
        into: UnsafeMutableRawBufferPointer(rebasing: frame[start..<start + entry.rawByteCount]))
      offset += entry.storedByteCount
    }
    return view.tokenCount
  }

  /// Decodes `rows` of plane `plane` into `destination`, which has just their bytes. Verifies the header and that plane
  /// only. Returns the block's tokens.
  package mutating func decodePlane(
    _ pieces: FramePieces, layout: BlockLayout, expecting key: BlockKey, plane: Int, rows: Range<Int>,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(FrameError) -> Int {
    try decodeRows(
      pieces, layout: layout, of: BlockRows(key: key, rows: rows, firstRow: 0),
      into: [PlaneDestination(plane: plane, bytes: destination)])
  }

  /// Decodes a block's rows of several planes to their places. Verifies the header and those planes only. Returns the
  /// block's tokens.
  package mutating func decodeRows(
    _ pieces: FramePieces, layout: BlockLayout, of block: BlockRows, into destinations: [PlaneDestination]
  ) throws(FrameError) -> Int {
    let view = try FrameHeaderView(pieces, scratch: &headerScratch)
    try Self.check(view, pieces, kind: .block, key: block.key)
    try Self.check(view, layout)
    guard block.rows.lowerBound >= 0, block.rows.upperBound <= view.tokenCount else {
      throw FrameError("rows \(block.rows) of a block of \(view.tokenCount) tokens")
    }
    // Planes are mostly asked for upwards: their offsets are summed up once.
    var (plane, offset) = (0, view.headerByteCount)
    for destination in destinations {
      precondition(layout.planes.indices.contains(destination.plane), "no such plane")
      if destination.plane < plane { (plane, offset) = (0, view.headerByteCount) }
      while plane < destination.plane {
        offset += view.storedByteCount(plane)
        plane += 1
      }
      let rowByteCount = layout.planes[plane].rowByteCount
      try decode(
        pieces, entry: try Self.entry(view, plane, offset: offset, layout), tokenCount: view.tokenCount,
        rows: block.rows, into: destination.part(for: block, rowByteCount: rowByteCount))
    }
    return view.tokenCount
  }

  private mutating func decode(
    _ pieces: FramePieces, entry: FrameHeader.PlaneEntry, tokenCount: Int, rows: Range<Int>,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(FrameError) {
    let stored = pieces.contiguous(entry.offset..<entry.offset + entry.storedByteCount, scratch: &gathered)
    guard rows.count < tokenCount else {
      return try planeDecoder.decode(stored, entry: entry, rowCount: tokenCount, into: destination)
    }
    let whole = rowScratch.bytes(entry.rawByteCount)
    try planeDecoder.decode(
      stored, entry: entry, rowCount: tokenCount,
      into: UnsafeMutableRawBufferPointer(start: whole, count: entry.rawByteCount))
    if let output = destination.baseAddress {
      output.copyMemory(
        from: whole + rows.lowerBound * entry.layout.rowByteCount, byteCount: destination.count)
    }
  }

  /// Reads a blob of at most `byteCountLimit` bytes.
  package mutating func decodeBlob(
    _ pieces: FramePieces, expecting identifier: BlockKey, byteCountLimit: Int
  ) throws(FrameError) -> [UInt8] {
    let view = try FrameHeaderView(pieces, scratch: &headerScratch)
    try Self.check(view, pieces, kind: .blob, key: identifier)
    var entries: [FrameHeader.PlaneEntry] = []
    var offset = view.headerByteCount
    var byteCount = 0
    for index in 0..<view.planeCount {
      let entry = try view.entry(index, offset: offset)
      guard entry.layout.elementType == .raw else {
        throw FrameError("\(entry.place): a blob of \(entry.layout.elementType.name)")
      }
      entries.append(entry)
      offset += entry.storedByteCount
      byteCount += entry.rawByteCount
    }
    guard byteCount <= byteCountLimit else {
      throw FrameError("a blob of \(byteCount) bytes, where at most \(byteCountLimit) are expected")
    }
    var blob = [UInt8](repeating: 0, count: byteCount)
    var failure: FrameError?
    blob.withUnsafeMutableBytes { output in
      var start = 0
      do throws(FrameError) {
        for entry in entries {
          try planeDecoder.decode(
            pieces.contiguous(entry.offset..<entry.offset + entry.storedByteCount, scratch: &gathered), entry: entry,
            rowCount: 1,
            into: UnsafeMutableRawBufferPointer(rebasing: output[start..<start + entry.rawByteCount]))
          start += entry.rawByteCount
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return blob
  }

  static func check(
    _ view: FrameHeaderView, _ pieces: FramePieces, kind: FrameHeader.Kind, key: BlockKey
  ) throws(FrameError) {
    guard view.kind == kind else { throw FrameError("a frame of kind \(view.kind) at offset 10, expected \(kind)") }
    let found = view.key
    guard found == key else { throw FrameError("the frame of \(found) at offset 24, expected \(key)") }
    guard view.frameByteCount <= pieces.byteCount else {
      throw FrameError("a frame of \(view.frameByteCount) bytes is cut off at \(pieces.byteCount)")
    }
  }

  static func check(_ view: FrameHeaderView, _ layout: BlockLayout) throws(FrameError) {
    guard view.blockTokenCount == layout.blockTokenCount, view.planeCount == layout.planes.count else {
      throw FrameError(
        "\(view.planeCount) planes of \(view.blockTokenCount) tokens at offset 28, where the layout has "
          + "\(layout.planes.count) of \(layout.blockTokenCount)")
    }
  }

  static func entry(
    _ view: FrameHeaderView, _ index: Int, offset: Int, _ layout: BlockLayout
  ) throws(FrameError) -> FrameHeader.PlaneEntry {
    let entry = try view.entry(index, offset: offset)
    guard entry.layout == layout.planes[index] else {
      throw FrameError("\(entry.place) has not the shape of the layout's plane \(index)")
    }
    return entry
  }
}
