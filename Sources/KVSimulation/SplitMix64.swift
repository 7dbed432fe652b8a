/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, the same on every machine. A seed tells a whole workload.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }

  /// True in `share` (0 to 1) of the cases.
  package mutating func chance(_ share: Double) -> Bool {
    Double(next() >> 11) < share * Double(1 << 53)
  }

  package static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
