import ArgumentParser

/// A time between two looks: `500ms`, `1s`, `2m`.
struct Interval: Hashable, Sendable {
  static let limit = 100...3_600_000

  let milliseconds: Int

  /// Nil for anything but a whole number and a unit, and for what is out of ``limit``.
  init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int(digits) else { return nil }
    let scale: Int
    switch text.dropFirst(digits.count) {
    case "ms": scale = 1
    case "s", "": scale = 1000
    case "m": scale = 60_000
    default: return nil
    }
    let (milliseconds, overflow) = count.multipliedReportingOverflow(by: scale)
    guard !overflow, Self.limit.contains(milliseconds) else { return nil }
    self.milliseconds = milliseconds
  }

  init(milliseconds: Int) { self.milliseconds = milliseconds }
}

extension Interval: CustomStringConvertible {
  var description: String {
    if milliseconds % 60_000 == 0 { return "\(milliseconds / 60_000)m" }
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
  }
}

extension Interval: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
  var defaultValueDescription: String { description }
}
