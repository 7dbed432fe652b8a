import CKernels
import CSystemLZ4
import KVBlocks

/// A plane's stored bytes back to its rows. Believes no length: each is held against the layout and the bytes at hand
/// first.
struct PlaneDecoder: ~Copyable {
  let level: Int32
  private var section = Scratch()
  private var bitPlanes = Scratch()
  private var units = Scratch()
  private let pointers = UnsafeMutablePointer<UnsafePointer<UInt8>?>.allocate(capacity: 32)

  init(level: Int32) { self.level = level }

  deinit { pointers.deallocate() }

  /// Verifies the checksum, then decodes all rows into `destination`, which has just the plane's raw bytes.
  mutating func decode(
    _ stored: UnsafeRawBufferPointer, entry: FrameHeader.PlaneEntry, rowCount: Int,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(FrameError) {
    guard kv_checksum(level, stored.baseAddress, stored.count) == entry.checksum else {
      throw FrameError("the checksum of \(entry.place) fails")
    }
    precondition(destination.count == entry.rawByteCount, "the destination and the plane differ in size")
    guard let output = destination.baseAddress, destination.count > 0 else {
      guard stored.isEmpty else { throw FrameError("\(entry.place): stored bytes for an empty plane") }
      return
    }
    switch (entry.filter, entry.compressor) {
    case (.none, .none):
      guard stored.count == destination.count, let source = stored.baseAddress else {
        throw FrameError("\(entry.place): \(stored.count) raw bytes, where its rows have \(destination.count)")
      }
      output.copyMemory(from: source, byteCount: stored.count)
    case (.none, .lz4):
      try decompress(stored, into: destination, entry)
    case (.bitPlanes, _):
      try decodeParts(stored, entry, rowCount: rowCount, output: output)
    }
  }

  private func decompress(
    _ stored: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer, _ entry: FrameHeader.PlaneEntry
  ) throws(FrameError) {
    guard let from = stored.baseAddress, let to = destination.baseAddress,
      let count = Int32(exactly: stored.count), let capacity = Int32(exactly: destination.count),
      LZ4_decompress_safe(
        from.assumingMemoryBound(to: CChar.self), to.assumingMemoryBound(to: CChar.self), count, capacity) == capacity
    else {
      throw FrameError("\(entry.place): LZ4 does not give \(destination.count) bytes")
    }
  }

  private mutating func decodeParts(
    _ stored: UnsafeRawBufferPointer, _ entry: FrameHeader.PlaneEntry, rowCount: Int, output: UnsafeMutableRawPointer
  ) throws(FrameError) {
    let layout = entry.layout
    guard layout.rowByteCount % layout.elementType.unitByteCount == 0,
      let parts = PlaneParts(elementType: layout.elementType, rowByteCount: layout.rowByteCount)
    else {
      throw FrameError("\(entry.place): bit planes of \(layout.rowByteCount) bytes a row of \(layout.elementType.name)")
    }
    var cursor = 0
    switch parts {
    case .one(let part):
      try decodePart(part, stored, &cursor, entry, rowCount: rowCount, output: output)
    case .units(let head, let body, let headByteCount, let bodyByteCount):
      let headsByteCount = head.rowByteCount * rowCount
      let heads = units.bytes(entry.rawByteCount)
      let bodies = heads + headsByteCount
      try decodePart(head, stored, &cursor, entry, rowCount: rowCount, output: heads)
      try decodePart(body, stored, &cursor, entry, rowCount: rowCount, output: bodies)
      kv_units_join(
        heads.assumingMemoryBound(to: UInt8.self), bodies.assumingMemoryBound(to: UInt8.self),
        headsByteCount / headByteCount, headByteCount, bodyByteCount, output.assumingMemoryBound(to: UInt8.self))
    }
    guard cursor == stored.count else {
      throw FrameError("\(entry.place): \(stored.count - cursor) bytes too many")
    }
  }

  private mutating func decodePart(
    _ part: PlanePart, _ stored: UnsafeRawBufferPointer, _ cursor: inout Int, _ entry: FrameHeader.PlaneEntry,
    rowCount: Int, output: UnsafeMutableRawPointer
  ) throws(FrameError) {
    let rows = part.rows(count: rowCount, stride: part.rowByteCount)
    let planeByteCount = kv_plane_byte_count(rows)
    let restByteCount = kv_rest_byte_count(rows, part.element)
    guard stored.count - cursor >= FrameFormat.partHeadByteCount, let base = stored.baseAddress else {
      throw FrameError("\(entry.place): it ends at byte \(stored.count), inside the head of a part")
    }
    let sectionByteCount = Int(stored.littleEndian(cursor, as: UInt32.self))
    let storedSectionByteCount = Int(stored.littleEndian(cursor + 4, as: UInt32.self))
    let mask = stored.littleEndian(cursor + 8, as: UInt32.self)
    cursor += FrameFormat.partHeadByteCount
    let sparseCount = mask.nonzeroBitCount
    let denseByteCount = (part.bitPlaneCount - sparseCount) * planeByteCount + restByteCount
    guard UInt64(mask) >> UInt64(part.bitPlaneCount) == 0, storedSectionByteCount <= sectionByteCount,
      sectionByteCount <= sparseCount * (planeByteCount + (planeByteCount + 7) / 8),
      storedSectionByteCount + denseByteCount <= stored.count - cursor
    else {
      throw FrameError("\(entry.place): the lengths before byte \(cursor) of it do not fit its \(stored.count) bytes")
    }

    var packed = UnsafeRawBufferPointer(start: base + cursor, count: storedSectionByteCount)
    var readableByteCount = stored.count - cursor
    if storedSectionByteCount < sectionByteCount {
      guard entry.compressor == .lz4 else {
        throw FrameError("\(entry.place): a short section before byte \(cursor) of it, and no compressor")
      }
      // Kernels read whole vectors: bytes past the section are readable, whatever they hold.
      readableByteCount = sectionByteCount + 64
      let whole = UnsafeMutableRawBufferPointer(start: section.bytes(readableByteCount), count: sectionByteCount)
      try decompress(packed, into: whole, entry)
      packed = UnsafeRawBufferPointer(whole)
    }
    cursor += storedSectionByteCount
    try unpackSparse(
      packed, readableByteCount: readableByteCount, mask: mask, part: part, planeByteCount: planeByteCount, entry)
    for index in 0..<part.bitPlaneCount where mask >> UInt32(part.bitPlaneCount - 1 - index) & 1 == 0 {
      pointers[index] = (base + cursor).assumingMemoryBound(to: UInt8.self)
      cursor += planeByteCount
    }
    kv_bit_planes_join(
      level, part.element, rows, pointers, (base + cursor).assumingMemoryBound(to: UInt8.self),
      output.assumingMemoryBound(to: UInt8.self))
    cursor += restByteCount
  }

  /// Unpacks the sparse planes into scratch and points to them.
  private mutating func unpackSparse(
    _ packed: UnsafeRawBufferPointer, readableByteCount: Int, mask: UInt32, part: PlanePart, planeByteCount: Int,
    _ entry: FrameHeader.PlaneEntry
  ) throws(FrameError) {
    guard mask != 0 else {
      guard packed.isEmpty else { throw FrameError("\(entry.place): a packed section of no plane") }
      return
    }
    let bitmapByteCount = (planeByteCount + 7) / 8
    let sparseCount = mask.nonzeroBitCount
    guard packed.count >= sparseCount * bitmapByteCount else {
      throw FrameError("\(entry.place): a packed section of \(packed.count) bytes is shorter than its bitmaps")
    }
    let stride = ((planeByteCount + 63) & ~63 | 64)
    var plane = bitPlanes.bytes(sparseCount * stride).assumingMemoryBound(to: UInt8.self)
    guard planeByteCount > 0, let base = packed.baseAddress?.assumingMemoryBound(to: UInt8.self) else {
      throw FrameError("\(entry.place): a sparse plane of no bytes")
    }
    var bitmap = base
    var valuesAt = sparseCount * bitmapByteCount
    let unusedBits: UInt8 = planeByteCount % 8 == 0 ? 0 : UInt8.max << UInt8(planeByteCount % 8)
    for index in 0..<part.bitPlaneCount where mask >> UInt32(part.bitPlaneCount - 1 - index) & 1 == 1 {
      let valueCount = kv_count_bits(level, bitmap, bitmapByteCount)
      guard valueCount <= packed.count - valuesAt, bitmap[bitmapByteCount - 1] & unusedBits == 0 else {
        throw FrameError("\(entry.place): the bitmap of bit plane \(index) asks for bytes that are not there")
      }
      kv_sparse_unpack(level, bitmap, base + valuesAt, readableByteCount - valuesAt, plane, planeByteCount)
      pointers[index] = UnsafePointer(plane)
      valuesAt += valueCount
      bitmap += bitmapByteCount
      plane += stride
    }
    guard valuesAt == packed.count else {
      throw FrameError("\(entry.place): \(packed.count - valuesAt) packed bytes too many")
    }
  }
}

extension FrameHeader.PlaneEntry {
  /// For messages: which plane, and where its stored bytes begin.
  var place: String { "the plane \(layout.plane) at offset \(offset)" }
}
