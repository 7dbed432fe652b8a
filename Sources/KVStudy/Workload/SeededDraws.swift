#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Draws that a seed tells wholly (SplitMix64: Steele, Lea, Flood 2014).
package struct SeededDraws: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  /// In (0, 1].
  mutating func share() -> Double { Double((next() >> 11) + 1) / Double(1 << 53) }

  /// 0 up to `limit`, which is left out.
  package mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// With mean 0 and deviation 1 (Box, Muller 1958).
  package mutating func normal() -> Double {
    let radius = (-2 * log(share())).squareRoot()
    return radius * cos(2 * Double.pi * share())
  }

  /// With mean 1.
  mutating func exponential() -> Double { -log(share()) }
}
