/// The type of a plane's elements: what the codec's filter and the engines' formats go by.
public enum ElementType: UInt8, CaseIterable, Hashable, Sendable {
  case raw = 0
  case f32 = 1
  case f16 = 2
  case bf16 = 3
  case i8 = 4
  /// ggml: 32 values in 34 bytes (an f16 scale, 32 signed bytes).
  case q8_0 = 5
  /// ggml: 32 values in 18 bytes (an f16 scale, 16 bytes of nibbles).
  case q4_0 = 6

  /// Bytes in the smallest unit that a row consists of whole numbers of.
  public var unitByteCount: Int {
    switch self {
    case .raw, .i8: 1
    case .f16, .bf16: 2
    case .f32: 4
    case .q8_0: 34
    case .q4_0: 18
    }
  }

  /// Values in one unit.
  public var unitValueCount: Int {
    switch self {
    case .q8_0, .q4_0: 32
    default: 1
    }
  }

  /// The name used in JSON and by people: "f16", "q8_0", ...
  public var name: String { "\(self)" }

  public init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}
