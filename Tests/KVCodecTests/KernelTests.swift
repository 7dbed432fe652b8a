import CKernels
import KVBlocks
import Testing

@testable import KVCodec

/// Every instruction set gives the same bytes, and they are those that the format's text describes.
@Suite struct KernelTests {
  static let levels = Array(0...kv_best_level())

  private func random(_ count: Int, seed: UInt64, oneIn: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let value = generator.next()
      return value >> 32 % oneIn == 0 ? UInt8(truncatingIfNeeded: value) : 0
    }
  }

  @Test(arguments: ReferenceFilter.elements)
  func `bit planes are split as the format says, and joined again`(element: Int) throws {
    for columns in [1, 8, 15, 63, 64, 130, 264] {
      for rowCount in columns > 100 ? [9] : [1, 3, 8, 15, 17] {
        let width = kv_element_byte_count(Int32(element))
        let filter = ReferenceFilter(element: element, rowCount: rowCount, rowByteCount: columns * width)
        let rows = random(rowCount * columns * width, seed: UInt64(columns))
        let expected = filter.split(rows)
        let shape = kv_rows(row_count: rowCount, element_count: columns, row_stride: columns * width)
        try #require(kv_plane_byte_count(shape) == filter.planeByteCount)
        try #require(kv_rest_byte_count(shape, Int32(element)) == expected.rest.count)

        let stride = filter.planeByteCount + 3
        for level in Self.levels {
          var planes = [UInt8](repeating: 0x77, count: stride * 8 * width)
          var rest = [UInt8](repeating: 0, count: expected.rest.count)
          kv_bit_planes_split(level, Int32(element), shape, rows, &planes, stride, &rest)
          #expect(rest == expected.rest)
          for plane in 0..<8 * width {
            let found = Array(planes[plane * stride..<plane * stride + filter.planeByteCount])
            #expect(found == expected.planes[plane], "plane \(plane), \(columns) columns, \(rowCount) rows")
            #expect(planes[plane * stride + filter.planeByteCount] == 0x77, "written past the plane")
          }

          var joined = [UInt8](repeating: 0x99, count: rows.count + 1)
          planes.withUnsafeBufferPointer { base in
            let pointers = (0..<8 * width).map { plane in base.baseAddress.map { $0 + plane * stride } }
            kv_bit_planes_join(level, Int32(element), shape, pointers, rest, &joined)
          }
          #expect(Array(joined[..<rows.count]) == rows, "\(columns) columns, \(rowCount) rows")
          #expect(joined[rows.count] == 0x99, "written past the rows")
        }
      }
    }
  }

  @Test(arguments: levels, [1, 2, 9, 300, 100_000] as [UInt64])
  func `sparse bytes are packed and unpacked alike`(level: Int32, oneIn: UInt64) {
    for count in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 200, 1000, 9000] {
      let bytes = random(count, seed: UInt64(count), oneIn: oneIn)
      let expected = bytes.filter { $0 != 0 }
      #expect(kv_count_nonzero(level, bytes, count) == expected.count)
      var bitmap = [UInt8](repeating: 0xee, count: (count + 7) / 8)
      var values = [UInt8](repeating: 0, count: count + 8)
      #expect(kv_sparse_pack(level, bytes, count, &bitmap, &values) == expected.count)
      #expect(Array(values[..<expected.count]) == expected)
      #expect(
        bitmap
          == stride(from: 0, to: count, by: 8).map { start in
            (start..<min(start + 8, count)).reduce(0) { $0 | (bytes[$1] != 0 ? 1 << UInt8($1 - start) : 0) }
          })
      #expect(kv_count_bits(level, bitmap, bitmap.count) == expected.count)
      for readable in [expected.count, expected.count + 8, expected.count + 64] {
        let padded = expected + [UInt8](repeating: 0xdd, count: readable - expected.count)
        var unpacked = [UInt8](repeating: 0x44, count: count + 1)
        kv_sparse_unpack(level, bitmap, padded, readable, &unpacked, count)
        #expect(Array(unpacked[..<count]) == bytes)
        #expect(unpacked[count] == 0x44, "written past the bytes")
      }
    }
  }

  @Test func `a byte count beyond one lane's counter is right`() {
    let bytes = [UInt8](repeating: 3, count: 100_000)
    for level in Self.levels { #expect(kv_count_nonzero(level, bytes, bytes.count) == 100_000) }
  }

  @Test func `checksums agree on all levels and with the published XXH3`() {
    for count in [0, 1, 16, 128, 240, 241, 1024, 5000, 70_000] {
      let bytes = random(count, seed: 3)
      let first = kv_checksum(0, bytes, count)
      for level in Self.levels { #expect(kv_checksum(level, bytes, count) == first, "\(count) bytes") }
    }
    #expect(kv_checksum(kv_best_level(), nil, 0) == 0x2d06_8005_38d3_94c2)
  }

  @Test(arguments: ElementType.allCases)
  func `frames are equal to the byte whatever the processor`(elementType: ElementType) throws {
    let row = 65 * elementType.unitByteCount
    let layout = try layout(elementType, rowByteCount: row, blockTokenCount: 29)
    for content in AdversarialContent.allCases {
      let block = BlockFixture(layout: layout, tokenCount: 29) { plane, rows in
        content.fill(rows, rowByteCount: row, elementType: elementType, seed: UInt64(plane))
      }
      var portable = BlockEncoder(level: 0)
      let expected = try block.encoded(&portable)
      for level in Self.levels {
        var encoder = BlockEncoder(level: level)
        var decoder = BlockDecoder(level: level)
        #expect(try block.encoded(&encoder) == expected, "\(content), level \(level)")
        let decoded = try decode(expected, layout: layout, expecting: block.descriptor.key, decoder: &decoder)
        #expect(block.difference(from: decoded.frame) == nil, "\(content), level \(level)")
      }
    }
  }
}
