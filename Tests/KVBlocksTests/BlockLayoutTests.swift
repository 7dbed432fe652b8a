import Testing

@testable import KVBlocks

@Suite struct BlockLayoutTests {
  static let keys = PlaneLayout(Plane(.keys, layer: 0), elementType: .f16, rowByteCount: 384)
  static let values = PlaneLayout(Plane(.values, layer: 0), elementType: .f16, rowByteCount: 384)

  @Test func `planes follow one another, each at a cache line`() throws {
    let odd = PlaneLayout(Plane(.values, layer: 3), elementType: .q8_0, rowByteCount: 34)
    let layout = try BlockLayout(blockTokenCount: 3, planes: [Self.keys, odd, Self.values])
    #expect((0..<3).map(layout.planeOffset) == [0, 1152, 1280])
    #expect(layout.frameByteCount == 1280 + 1152)
    #expect(layout.tokenByteCount == 384 + 34 + 384)
    #expect(layout.payloadByteCount(tokenCount: 2) == 2 * 802)
    #expect(layout.byteRange(ofPlane: 1, rows: 1..<3) == 1152 + 34..<1152 + 102)
    #expect(layout.byteRange(ofPlane: 2, rows: 0..<0) == 1280..<1280)
    for index in 0..<3 {
      #expect(layout.planeOffset(index) % BlockLayout.planeAlignmentByteCount == 0)
    }
  }

  @Test func `a plane is found by what it is`() throws {
    let layout = try BlockLayout(blockTokenCount: 16, planes: [Self.keys, Self.values])
    #expect(layout.index(of: Plane(.values, layer: 0)) == 1)
    #expect(layout.index(of: Plane(.values, layer: 1)) == nil)
  }

  @Test(arguments: [0, -1, Int.min, BlockLayout.blockTokenCountLimit + 1, Int.max])
  func `a block of no or too many tokens is refused`(count: Int) {
    let error = #expect(throws: StoreError.self) { try BlockLayout(blockTokenCount: count, planes: [Self.keys]) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("\(count) tokens") == true)
  }

  @Test func `no planes, too many, and one that stands twice are refused`() {
    let many = (0...BlockLayout.planeCountLimit).map {
      PlaneLayout(Plane(.keys, layer: $0), elementType: .raw, rowByteCount: 1)
    }
    for planes in [[], many, [Self.keys, Self.values, Self.keys]] {
      let error = #expect(throws: StoreError.self) { try BlockLayout(blockTokenCount: 16, planes: planes) }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test(arguments: [
    (ElementType.f16, 0), (.f16, -2), (.f16, 383), (.f32, 6), (.q8_0, 32), (.q4_0, 34), (.raw, 0), (.raw, Int.max),
    (.raw, BlockLayout.rowByteCountLimit + 1),
  ])
  func `a row that is no whole number of units is refused`(type: ElementType, byteCount: Int) {
    let plane = PlaneLayout(Plane(.keys, layer: 0), elementType: type, rowByteCount: byteCount)
    let error = #expect(throws: StoreError.self) { try BlockLayout(blockTokenCount: 1, planes: [plane]) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("layer 0 keys") == true)
  }

  @Test(arguments: [-1, Int.min, Int(Int32.max) + 1, Int.max])
  func `a layer that no file can name is refused`(layer: Int) {
    let plane = PlaneLayout(Plane(.keys, layer: layer), elementType: .raw, rowByteCount: 1)
    #expect(throws: StoreError.self) { try BlockLayout(blockTokenCount: 1, planes: [plane]) }
  }

  @Test func `a frame over the limit is refused before it is computed any further`() {
    let planes = (0..<BlockLayout.planeCountLimit).map {
      PlaneLayout(Plane(.keys, layer: $0), elementType: .raw, rowByteCount: BlockLayout.rowByteCountLimit)
    }
    let error = #expect(throws: StoreError.self) {
      try BlockLayout(blockTokenCount: BlockLayout.blockTokenCountLimit, planes: planes)
    }
    #expect(error?.message.contains("fewer tokens per block") == true)
  }

  @Test func `layouts are equal where block size and planes are`() throws {
    let layout = try BlockLayout(blockTokenCount: 16, planes: [Self.keys, Self.values])
    #expect(try layout == BlockLayout(blockTokenCount: 16, planes: [Self.keys, Self.values]))
    #expect(try layout != BlockLayout(blockTokenCount: 32, planes: [Self.keys, Self.values]))
    #expect(try layout != BlockLayout(blockTokenCount: 16, planes: [Self.values, Self.keys]))
  }

  @Test func `rows outside the block are a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let layout = try BlockLayout(blockTokenCount: 16, planes: [Self.keys])
      _ = layout.byteRange(ofPlane: 0, rows: 0..<17)
    }
  }
}

@Suite struct ElementTypeTests {
  @Test func `units are those of the engines`() {
    let units: [(ElementType, Int, Int)] = [
      (.raw, 1, 1), (.f32, 4, 1), (.f16, 2, 1), (.bf16, 2, 1), (.i8, 1, 1), (.q8_0, 34, 32), (.q4_0, 18, 32),
    ]
    #expect(units.count == ElementType.allCases.count)
    for (type, byteCount, valueCount) in units {
      #expect(type.unitByteCount == byteCount)
      #expect(type.unitValueCount == valueCount)
    }
  }

  @Test func `a type survives its name and its number`() {
    for type in ElementType.allCases {
      #expect(ElementType(name: type.name) == type)
      #expect(ElementType(rawValue: type.rawValue) == type)
    }
    #expect(ElementType(name: "q8_0") == .q8_0)
    #expect(ElementType(name: "F16") == nil)
    #expect(ElementType(rawValue: 7) == nil)
  }

  /// These numbers stand in stores and in fingerprints: changing one would orphan every store.
  @Test func `the numbers on disk never change`() {
    #expect(ElementType.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6])
    #expect(ElementType.allCases.map(\.name) == ["raw", "f32", "f16", "bf16", "i8", "q8_0", "q4_0"])
    #expect(Plane.Kind.keys.rawValue == 0 && Plane.Kind.values.rawValue == 1)
  }
}
