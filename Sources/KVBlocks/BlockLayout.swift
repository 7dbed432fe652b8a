/// The shape of every block of a cache space: tokens in a full block, and its planes in their order.
///
/// In RAM a block lies in a frame of ``frameByteCount`` bytes: plane `p` begins at ``planeOffset(_:)``, its rows follow
/// one another, token-major. A tail of `n` tokens fills the first `n` rows of each plane; the rest of the frame means
/// nothing.
public struct BlockLayout: Hashable, Sendable {
  /// Planes begin at multiples of this many bytes, a cache line.
  public static let planeAlignmentByteCount = 64
  public static let blockTokenCountLimit = 65_536
  public static let planeCountLimit = 16_384
  public static let rowByteCountLimit = 1 << 24
  public static let frameByteCountLimit = 1 << 32

  public let blockTokenCount: Int
  public let planes: [PlaneLayout]
  /// Bytes of one frame in RAM, plane alignment included.
  public let frameByteCount: Int
  /// Bytes of one token's rows over all planes: what a token costs.
  public let tokenByteCount: Int
  private let planeOffsets: [Int]

  /// - Throws: `invalidArgument`, naming the field, for a layout that no engine can mean or that would overflow.
  public init(blockTokenCount: Int, planes: [PlaneLayout]) throws(StoreError) {
    guard (1...Self.blockTokenCountLimit).contains(blockTokenCount) else {
      throw .invalidArgument("a block of \(blockTokenCount) tokens; it must hold 1 to \(Self.blockTokenCountLimit)")
    }
    guard (1...Self.planeCountLimit).contains(planes.count) else {
      throw .invalidArgument("a layout of \(planes.count) planes; it must have 1 to \(Self.planeCountLimit)")
    }
    var offsets: [Int] = []
    var offset = 0
    var tokenByteCount = 0
    var seen: Set<Plane> = []
    for layout in planes {
      guard seen.insert(layout.plane).inserted else {
        throw .invalidArgument("\(layout.plane) stands twice in the layout")
      }
      guard (0...Int(Int32.max)).contains(layout.plane.layer) else {
        throw .invalidArgument("layer \(layout.plane.layer); it must be 0 to 2^31 - 1")
      }
      guard (1...Self.rowByteCountLimit).contains(layout.rowByteCount),
        layout.rowByteCount % layout.elementType.unitByteCount == 0
      else {
        throw .invalidArgument(
          "\(layout.plane): a row of \(layout.rowByteCount) bytes; it must be 1 to \(Self.rowByteCountLimit) "
            + "and a multiple of \(layout.elementType.unitByteCount) for \(layout.elementType.name)")
      }
      offsets.append(offset)
      let planeByteCount = layout.rowByteCount * blockTokenCount
      offset += (planeByteCount + Self.planeAlignmentByteCount - 1) & ~(Self.planeAlignmentByteCount - 1)
      tokenByteCount += layout.rowByteCount
      guard offset <= Self.frameByteCountLimit else {
        throw .invalidArgument("a block over \(Self.frameByteCountLimit) bytes; choose fewer tokens per block")
      }
    }
    self.blockTokenCount = blockTokenCount
    self.planes = planes
    self.frameByteCount = offset
    self.tokenByteCount = tokenByteCount
    self.planeOffsets = offsets
  }

  /// Where plane `index` begins in a frame, in bytes.
  public func planeOffset(_ index: Int) -> Int { planeOffsets[index] }

  /// The bytes in a frame of rows `rows` of plane `index`.
  public func byteRange(ofPlane index: Int, rows: Range<Int>) -> Range<Int> {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= blockTokenCount, "rows outside the block")
    let row = planes[index].rowByteCount
    let start = planeOffsets[index]
    return start + rows.lowerBound * row..<start + rows.upperBound * row
  }

  /// The position of a plane in ``planes``; nil where the layout has none.
  public func index(of plane: Plane) -> Int? { planes.firstIndex { $0.plane == plane } }

  /// Bytes of KV data in a block of `tokenCount` tokens: rows only, no alignment.
  public func payloadByteCount(tokenCount: Int) -> Int { tokenByteCount * tokenCount }

  public static func == (a: BlockLayout, b: BlockLayout) -> Bool {
    a.blockTokenCount == b.blockTokenCount && a.planes == b.planes
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(blockTokenCount)
    hasher.combine(planes)
  }
}
