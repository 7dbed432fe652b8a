import KVBlocks

/// The numbers in a plane's rows.
enum ElementValues {
  /// Numbers that are at hand at one time: whole units of every type.
  private static let pieceUnitCount = 128

  /// Whether rows of the type are numbers; `raw` ones are bytes that nobody explained.
  static func areKnown(_ type: ElementType) -> Bool { type != .raw }

  /// Hands the values of `bytes`, whole units of the type, to `body`, some at a time and in their order. Quantised ones
  /// are multiplied with their scale.
  static func forEach(
    _ type: ElementType, _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<Float>) -> Void
  ) {
    let unitByteCount = type.unitByteCount
    let unitCount = bytes.count / unitByteCount
    withUnsafeTemporaryAllocation(of: Float.self, capacity: pieceUnitCount * type.unitValueCount) { values in
      values.initialize(repeating: 0)
      var first = 0
      while first < unitCount {
        let count = min(pieceUnitCount, unitCount - first)
        decode(type, bytes, units: first..<first + count, into: values)
        body(UnsafeBufferPointer(rebasing: values[..<(count * type.unitValueCount)]))
        first += count
      }
    }
  }

  private static func decode(
    _ type: ElementType, _ bytes: UnsafeRawBufferPointer, units: Range<Int>,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    for (place, unit) in units.enumerated() {
      switch type {
      case .raw: values[place] = Float(bytes[unit])
      case .f32: values[place] = Float(bitPattern: load(4 * unit, UInt32.self))
      case .f16: values[place] = Float(halfBits: load(2 * unit, UInt16.self))
      case .bf16: values[place] = Float(bitPattern: UInt32(load(2 * unit, UInt16.self)) << 16)
      case .i8: values[place] = Float(Int8(bitPattern: bytes[unit]))
      case .q8_0:
        let scale = Float(halfBits: load(34 * unit, UInt16.self))
        for index in 0..<32 {
          values[32 * place + index] = scale * Float(Int8(bitPattern: bytes[34 * unit + 2 + index]))
        }
      case .q4_0:
        let scale = Float(halfBits: load(18 * unit, UInt16.self))
        for index in 0..<16 {
          let pair = bytes[18 * unit + 2 + index]
          values[32 * place + index] = scale * Float(Int(pair & 15) - 8)
          values[32 * place + index + 16] = scale * Float(Int(pair >> 4) - 8)
        }
      }
    }
  }
}

extension Float {
  /// An IEEE half, exactly. (`Float16` is not on every machine.)
  init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 31
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0:  // 2^-24 each
      let magnitude = Float(fraction) * Float(bitPattern: 0x3380_0000)
      self = sign == 0 ? magnitude : -magnitude
    case 31: self = Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
