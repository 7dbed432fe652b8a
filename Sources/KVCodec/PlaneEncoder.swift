import CKernels
import CSystemLZ4
import KVBlocks

/// One plane's rows to their stored bytes: filter, then LZ4, and raw where that does not pay.
struct PlaneEncoder: ~Copyable {
  struct Result {
    var filter: PlaneFilter
    var compressor: PlaneCompressor
    var storedByteCount: Int
  }

  /// Room that `encode` needs past the raw bytes: the heads of two parts and a kernel's overhang.
  static let slackByteCount = 64

  private let level: Int32
  private var bitPlanes = Scratch()
  private var packed = Scratch()
  private var units = Scratch()

  init(level: Int32) { self.level = level }

  /// A plane must lose this share of its bytes, else it is stored raw and decoded at the speed of a copy.
  private static func isWorthwhile(_ storedByteCount: Int, of rawByteCount: Int) -> Bool {
    storedByteCount < rawByteCount - rawByteCount / 64
  }

  /// Encodes `rowCount` rows. `output` has room for their bytes and ``slackByteCount`` more.
  mutating func encode(
    _ source: UnsafeRawPointer, rowCount: Int, rowByteCount: Int, elementType: ElementType,
    output: UnsafeMutableRawPointer
  ) -> Result {
    let rawByteCount = rowCount * rowByteCount
    if let parts = PlaneParts(elementType: elementType, rowByteCount: rowByteCount) {
      let filtered = encodeParts(parts, source, rowCount: rowCount, rowByteCount: rowByteCount, output: output)
      if Self.isWorthwhile(filtered.storedByteCount, of: rawByteCount) { return filtered }
    } else if let stored = Self.compress(source, rawByteCount, output: output) {
      return Result(filter: .none, compressor: .lz4, storedByteCount: stored)
    }
    if rawByteCount > 0 { output.copyMemory(from: source, byteCount: rawByteCount) }
    return Result(filter: .none, compressor: .none, storedByteCount: rawByteCount)
  }

  /// Nil where LZ4 does not take off at least 1/64.
  private static func compress(
    _ source: UnsafeRawPointer, _ count: Int, output: UnsafeMutableRawPointer
  ) -> Int? {
    guard count >= 32, count <= Int(LZ4_MAX_INPUT_SIZE) else { return nil }
    let stored = LZ4_compress_default(
      source.assumingMemoryBound(to: CChar.self), output.assumingMemoryBound(to: CChar.self),
      Int32(count), Int32(count - count / 64 - 1))
    return stored > 0 ? Int(stored) : nil
  }

  private mutating func encodeParts(
    _ parts: PlaneParts, _ source: UnsafeRawPointer, rowCount: Int, rowByteCount: Int,
    output: UnsafeMutableRawPointer
  ) -> Result {
    var result = Result(filter: .bitPlanes, compressor: .none, storedByteCount: 0)
    switch parts {
    case .one(let part):
      encodePart(part, source, rowCount: rowCount, output: output, result: &result)
    case .units(let head, let body, let headByteCount, let bodyByteCount):
      let headsByteCount = head.rowByteCount * rowCount
      let heads = units.bytes(rowCount * rowByteCount)
      let bodies = heads + headsByteCount
      kv_units_split(
        source.assumingMemoryBound(to: UInt8.self), headsByteCount / headByteCount, headByteCount, bodyByteCount,
        heads.assumingMemoryBound(to: UInt8.self), bodies.assumingMemoryBound(to: UInt8.self))
      encodePart(head, heads, rowCount: rowCount, output: output, result: &result)
      encodePart(body, bodies, rowCount: rowCount, output: output, result: &result)
    }
    return result
  }

  /// Appends a part to `output` at `result.storedByteCount`: at most ``FrameFormat/partHeadByteCount`` more than its
  /// raw bytes.
  private mutating func encodePart(
    _ part: PlanePart, _ source: UnsafeRawPointer, rowCount: Int, output: UnsafeMutableRawPointer,
    result: inout Result
  ) {
    let rows = part.rows(count: rowCount, stride: part.rowByteCount)
    let planeByteCount = kv_plane_byte_count(rows)
    let restByteCount = kv_rest_byte_count(rows, part.element)
    // An odd number of cache lines apart, or the planes of a large block would fall into the same few sets of the
    // cache.
    let stride = ((planeByteCount + 63) & ~63 | 64)
    let planes = bitPlanes.bytes(stride * part.bitPlaneCount + restByteCount).assumingMemoryBound(to: UInt8.self)
    let rest = planes + stride * part.bitPlaneCount
    kv_bit_planes_split(
      level, part.element, rows, source.assumingMemoryBound(to: UInt8.self), planes, stride, rest)

    let mask = sparseMask(planes, stride: stride, planeByteCount: planeByteCount, count: part.bitPlaneCount)
    let (section, sectionByteCount) = packSparse(
      planes, stride: stride, planeByteCount: planeByteCount, count: part.bitPlaneCount, mask: mask)

    var cursor = output + result.storedByteCount
    let head = cursor
    cursor += FrameFormat.partHeadByteCount
    var storedSectionByteCount = sectionByteCount
    if let compressed = Self.compress(section, sectionByteCount, output: cursor) {
      storedSectionByteCount = compressed
      result.compressor = .lz4
    } else {
      cursor.copyMemory(from: section, byteCount: sectionByteCount)
    }
    cursor += storedSectionByteCount
    for index in 0..<part.bitPlaneCount where mask >> UInt32(part.bitPlaneCount - 1 - index) & 1 == 0 {
      cursor.copyMemory(from: planes + index * stride, byteCount: planeByteCount)
      cursor += planeByteCount
    }
    cursor.copyMemory(from: rest, byteCount: restByteCount)
    cursor += restByteCount
    head.storeLittleEndian(UInt32(sectionByteCount), at: 0)
    head.storeLittleEndian(UInt32(storedSectionByteCount), at: 4)
    head.storeLittleEndian(mask, at: 8)
    result.storedByteCount = cursor - output
  }

  /// Bit `b`: the plane of weight `b` is smaller as a bitmap and its bytes that are not zero.
  private func sparseMask(
    _ planes: UnsafeMutablePointer<UInt8>, stride: Int, planeByteCount: Int, count: Int
  ) -> UInt32 {
    var mask: UInt32 = 0
    let bitmapByteCount = (planeByteCount + 7) / 8
    for index in 0..<count {
      let nonzero = kv_count_nonzero(level, planes + index * stride, planeByteCount)
      if nonzero + bitmapByteCount < planeByteCount - planeByteCount / 64 {
        mask |= 1 << UInt32(count - 1 - index)
      }
    }
    return mask
  }

  private mutating func packSparse(
    _ planes: UnsafeMutablePointer<UInt8>, stride: Int, planeByteCount: Int, count: Int, mask: UInt32
  ) -> (UnsafeMutableRawPointer, Int) {
    let bitmapByteCount = (planeByteCount + 7) / 8
    let sparseCount = mask.nonzeroBitCount
    // Each sparse plane packs into fewer bytes than it has; the last one's kernel may write 8 bytes past its own.
    let section = packed.bytes(sparseCount * (planeByteCount + bitmapByteCount) + 8)
    var bitmap = section.assumingMemoryBound(to: UInt8.self)
    var values = bitmap + sparseCount * bitmapByteCount
    for index in 0..<count where mask >> UInt32(count - 1 - index) & 1 == 1 {
      values += kv_sparse_pack(level, planes + index * stride, planeByteCount, bitmap, values)
      bitmap += bitmapByteCount
    }
    return (section, UnsafeMutableRawPointer(values) - section)
  }
}
