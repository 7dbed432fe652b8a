import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How many tokens prompts or outputs have.
package enum LengthDistribution: Hashable, Sendable {
  case fixed(Int)
  case uniform(ClosedRange<Int>)
  case lognormal(median: Double, sigma: Double)
  /// Each with its weight.
  case mixture([Part])

  package struct Part: Hashable, Sendable {
    var weight: Int
    var distribution: LengthDistribution
  }

  /// The longest that a distribution without an end of its own gives, unless its median is longer.
  private static let openEnd = 32_768

  /// Prompts of chats: questions, ones with some text attached, ones with a whole document.
  static let chatPrompts = LengthDistribution.mixture([
    Part(weight: 70, distribution: .lognormal(median: 250, sigma: 1)),
    Part(weight: 25, distribution: .lognormal(median: 1500, sigma: 0.6)),
    Part(weight: 5, distribution: .lognormal(median: 8000, sigma: 0.5)),
  ])
  static let chatOutputs = LengthDistribution.lognormal(median: 200, sigma: 0.8)

  /// - Throws: `invalidArgument` for what is not `fixed:N`, `uniform:LOW-HIGH` or `lognormal:MEDIAN,SIGMA`.
  init(_ text: Substring) throws(StoreError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let wrong = StoreError.invalidArgument(
      "\"\(text)\" is no distribution; write fixed:N, uniform:LOW-HIGH, lognormal:MEDIAN,SIGMA or chat "
        + "(lengths up to \(ServingWorkload.tokenLimit) tokens, sigma up to 4)")
    guard parts.count == 2 else { throw wrong }
    func length(_ text: Substring) throws(StoreError) -> Int {
      guard let value = Int(text), (1...ServingWorkload.tokenLimit).contains(value) else { throw wrong }
      return value
    }
    switch parts[0] {
    case "fixed": self = .fixed(try length(parts[1]))
    case "uniform":
      let ends = parts[1].split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count == 2 else { throw wrong }
      let (low, high) = (try length(ends[0]), try length(ends[1]))
      guard low <= high else { throw wrong }
      self = .uniform(low...high)
    case "lognormal":
      let values = parts[1].split(separator: ",", omittingEmptySubsequences: false)
      guard values.count == 2, let sigma = Double(values[1]), sigma >= 0, sigma <= 4 else { throw wrong }
      self = .lognormal(median: Double(try length(values[0])), sigma: sigma)
    default: throw wrong
    }
  }

  /// The longest that may be drawn.
  var longest: Int {
    switch self {
    case .fixed(let length): length
    case .uniform(let range): range.upperBound
    case .lognormal(let median, _): max(Self.openEnd, Int(median))
    case .mixture(let parts): parts.reduce(0) { max($0, $1.distribution.longest) }
    }
  }

  func draw(_ draws: inout SeededDraws) -> Int {
    switch self {
    case .fixed(let length): return length
    case .uniform(let range): return range.lowerBound + draws.below(range.count)
    case .lognormal(let median, let sigma):
      let length = (median * exp(sigma * draws.normal())).rounded()
      return Int(min(max(length, 1), Double(longest)))
    case .mixture(let parts):
      var place = draws.below(parts.reduce(0) { $0 + $1.weight })
      for part in parts {
        if place < part.weight { return part.distribution.draw(&draws) }
        place -= part.weight
      }
      return parts[parts.count - 1].distribution.draw(&draws)
    }
  }
}
