import ArgumentParser

/// How long something may live: `90s`, `45m`, `12h`, `30d`, `2w`.
struct Lifetime: Hashable, Sendable {
  let microseconds: UInt64

  private static let secondsByUnit: [Character: UInt64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]

  /// Nil for anything but a whole number over 0 and one of the units, and for more than a thousand years.
  init?(_ text: String) {
    guard let unit = text.last, let seconds = Self.secondsByUnit[unit], let count = UInt64(text.dropLast()) else {
      return nil
    }
    let (total, overflow) = count.multipliedReportingOverflow(by: seconds)
    guard !overflow, (1...31_600_000_000).contains(total) else { return nil }
    microseconds = total * 1_000_000
  }
}

extension Lifetime: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
