import CKernels
import KVBlocks

/// A run of like elements in each row of a plane: most types have one, a quantised type has its scales and its values.
struct PlanePart {
  /// One of the kernels' element numbers, which fixes bytes and Gray code.
  let element: Int32
  /// Bytes of one row that belong to this part.
  let rowByteCount: Int

  var elementByteCount: Int { Int(kv_element_byte_count(element)) }
  var bitPlaneCount: Int { 8 * elementByteCount }

  func rows(count: Int, stride: Int) -> kv_rows {
    kv_rows(row_count: count, element_count: rowByteCount / elementByteCount, row_stride: stride)
  }
}

/// How the rows of a plane fall into parts.
enum PlaneParts {
  case one(PlanePart)
  /// Units of `head` + `body` bytes: all heads of a row make the first part, all bodies the second.
  case units(head: PlanePart, body: PlanePart, headByteCount: Int, bodyByteCount: Int)

  /// Nil for an element type that has no bit planes filter.
  init?(elementType: ElementType, rowByteCount: Int) {
    func part(_ element: Int, _ byteCount: Int) -> PlanePart {
      PlanePart(element: Int32(element), rowByteCount: byteCount)
    }
    let unitCount = rowByteCount / elementType.unitByteCount
    switch elementType {
    case .raw: return nil
    case .f16: self = .one(part(KV_ELEMENT_F16, rowByteCount))
    case .bf16: self = .one(part(KV_ELEMENT_BF16, rowByteCount))
    case .f32: self = .one(part(KV_ELEMENT_F32, rowByteCount))
    case .i8: self = .one(part(KV_ELEMENT_I8, rowByteCount))
    case .q8_0:
      self = .units(
        head: part(KV_ELEMENT_F16, 2 * unitCount), body: part(KV_ELEMENT_I8, 32 * unitCount),
        headByteCount: 2, bodyByteCount: 32)
    case .q4_0:
      self = .units(
        head: part(KV_ELEMENT_F16, 2 * unitCount), body: part(KV_ELEMENT_NIBBLES, 16 * unitCount),
        headByteCount: 2, bodyByteCount: 16)
    }
  }
}
