/// How a server gives memory to requests.
package enum AllocationPolicy: Hashable, Sendable {
  /// One stretch for all rows that a request may ever have, taken when it is admitted.
  case contiguous(Reach, AddressSpace.Fit)
  /// Blocks of so many tokens anywhere, one when it is needed.
  case paged(blockTokenCount: Int, sharesPrefixes: Bool)

  /// How long a stretch is.
  package enum Reach: String, Sendable {
    /// As long as a request may be at all.
    case maximum
    /// The next power of two above the rows that the request will have.
    case powerOfTwo
    /// Exactly these: an oracle, for nobody knows before how long an answer gets.
    case exact
  }

  package static let blockTokenCounts = (0...9).map { 1 << $0 }
  package static let contiguous: [AllocationPolicy] = [
    .contiguous(.maximum, .first), .contiguous(.powerOfTwo, .first), .contiguous(.exact, .first),
    .contiguous(.exact, .best),
  ]

  package var name: String {
    switch self {
    case .contiguous(.maximum, _): "maximum length"
    case .contiguous(.powerOfTwo, _): "next power of two"
    case .contiguous(.exact, let fit): "exact length, \(fit.rawValue) fit"
    case .paged(let count, false): "paged, \(count)"
    case .paged(let count, true): "paged, \(count), shared prefixes"
    }
  }

  package var blockTokenCount: Int? {
    if case .paged(let count, _) = self { count } else { nil }
  }

  package var sharesPrefixes: Bool {
    if case .paged(_, true) = self { true } else { false }
  }
}
