import KVBlocks

/// A ggml element type that a KV cache can have: its number in files and the unit that its rows consist of.
struct GGMLType: Hashable, Sendable {
  let number: Int32
  let name: String
  let unitByteCount: Int
  let unitValueCount: Int

  private init(_ number: Int32, _ name: String, _ unitByteCount: Int, _ unitValueCount: Int) {
    self.number = number
    self.name = name
    self.unitByteCount = unitByteCount
    self.unitValueCount = unitValueCount
  }

  static let all: [GGMLType] = [
    GGMLType(0, "f32", 4, 1), GGMLType(1, "f16", 2, 1), GGMLType(2, "q4_0", 18, 32), GGMLType(3, "q4_1", 20, 32),
    GGMLType(6, "q5_0", 22, 32), GGMLType(7, "q5_1", 24, 32), GGMLType(8, "q8_0", 34, 32), GGMLType(9, "q8_1", 36, 32),
    GGMLType(20, "iq4_nl", 18, 32), GGMLType(24, "i8", 1, 1), GGMLType(25, "i16", 2, 1), GGMLType(26, "i32", 4, 1),
    GGMLType(30, "bf16", 2, 1), GGMLType(39, "mxfp4", 17, 32),
  ]

  init?(number: Int32) {
    guard let type = Self.all.first(where: { $0.number == number }) else { return nil }
    self = type
  }

  /// The type in which llama.cpp keeps elements of `elementType`; nil for raw bytes, which could be any.
  init?(_ elementType: ElementType) {
    guard elementType != .raw, let type = Self.all.first(where: { $0.elementType == elementType }) else { return nil }
    self = type
  }

  /// What the codec goes by; types that it has no word for are carried as raw bytes.
  var elementType: ElementType { ElementType(name: name) ?? .raw }

  var isQuantized: Bool { unitValueCount > 1 }
}
