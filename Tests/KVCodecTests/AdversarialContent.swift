import KVBlocks

/// What rows are filled with to provoke the filters: each must come back to the bit.
enum AdversarialContent: CaseIterable {
  case zeros, ones, random, smooth, nans, infinities, alternatingRows, alternatingBits, subnormals, sparse, oneBitInEnd
  case constantElement, negatedRows, lowEntropyThenRandom

  func fill(_ rows: UnsafeMutableRawBufferPointer, rowByteCount: Int, elementType: ElementType, seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    func random() -> UInt8 { UInt8(truncatingIfNeeded: generator.next()) }
    let unit = elementType.unitByteCount
    for i in rows.indices {
      let row = i / rowByteCount
      let column = i % rowByteCount
      rows[i] =
        switch self {
        case .zeros: 0
        case .ones: 0xff
        case .random: random()
        case .smooth:
          UInt8(truncatingIfNeeded: column % unit == unit - 1 ? 0x3f + (column / 7) % 3 : Int(random()) & 0x3f)
        case .nans: [0x7f, 0xff, 0xc0, 0xfe, 0x81][Int(random()) % 5]
        case .infinities: column % 2 == 0 ? 0x80 : (random() & 0x80) | 0x7f
        case .alternatingRows: row % 2 == 0 ? 0x55 : 0xaa
        case .alternatingBits: i % 2 == 0 ? 0x55 : 0xaa
        case .subnormals: column % unit == 0 ? random() & 3 : (random() & 0x80)
        case .sparse: generator.next() % 97 == 0 ? random() : 0
        case .oneBitInEnd: i == rows.count - 1 ? 0x80 : 0
        case .constantElement: UInt8(truncatingIfNeeded: 0x3c + column % unit)
        case .negatedRows: UInt8(truncatingIfNeeded: column &* 31) ^ (row % 2 == 0 ? 0 : 0xff)
        case .lowEntropyThenRandom: i < rows.count / 2 ? 3 : random()
        }
    }
  }
}
