import Testing

@testable import KVBlocks

@Suite struct CBORWriterTests {
  @Test func `integers have the shortest head at every width`() throws {
    let vectors = try HashVectors.read()
    #expect(vectors.integers.count > 25)
    for vector in vectors.integers {
      var writer = CBORWriter()
      writer.integer(vector.value)
      #expect(Hex.string(of: writer.bytes) == vector.cbor, "\(vector.value)")
    }
  }

  @Test func `texts of every width of length are canonical`() throws {
    for vector in try HashVectors.read().texts {
      var writer = CBORWriter()
      writer.text(vector.text)
      #expect(ChainHash.sha256(writer.bytes).description == vector.sha256, "\(vector.text.utf8.count) bytes")
    }
  }

  /// The examples of RFC 8949, appendix A.
  @Test func `null, arrays and byte strings are the RFC's examples`() {
    var null = CBORWriter()
    null.null()
    #expect(null.bytes == [0xf6])

    var nested = CBORWriter()  // [1, [2, 3]]
    nested.array(count: 2)
    nested.unsigned(1)
    nested.array(count: 2)
    nested.unsigned(2)
    nested.unsigned(3)
    #expect(nested.bytes == [0x82, 0x01, 0x82, 0x02, 0x03])

    var long = CBORWriter()  // the head of an array of 25
    long.array(count: 25)
    #expect(long.bytes == [0x98, 0x19])

    var bytes = CBORWriter()  // h'01020304'
    ([1, 2, 3, 4] as [UInt8]).withUnsafeBytes { bytes.byteString($0) }
    #expect(bytes.bytes == [0x44, 1, 2, 3, 4])

    var largest = CBORWriter()
    largest.unsigned(.max)
    #expect(largest.bytes == [0x1b] + [UInt8](repeating: 0xff, count: 8))

    var smallest = CBORWriter()
    smallest.integer(.min)
    #expect(smallest.bytes == [0x3b, 0x7f] + [UInt8](repeating: 0xff, count: 7))
  }

  @Test func `no extra keys are null, some are an array`() {
    #expect(ExtraKey.encode([]) == [0xf6])
    #expect(ExtraKey.encode([.lora(name: "a")]) == [0x81, 0x82, 0x64] + Array("lora".utf8) + [0x61] + Array("a".utf8))
  }
}

@Suite struct HexTests {
  @Test func `every byte survives`() {
    let bytes = (0...255).map { UInt8($0) }
    let text = Hex.string(of: bytes)
    #expect(text.count == 512)
    #expect(text.hasPrefix("000102") && text.hasSuffix("fdfeff"))
    #expect(Hex.bytes(of: text) == bytes)
    #expect(Hex.bytes(of: text.uppercased()) == bytes)
    #expect(Hex.bytes(of: "") == [])
  }

  @Test func `anything but pairs of digits is nil`() {
    for text in ["0", "000", "0g", "g0", " 0", "0x", "é0", "00 ", "＀０"] {
      #expect(Hex.bytes(of: text) == nil, "\(text)")
    }
  }
}
