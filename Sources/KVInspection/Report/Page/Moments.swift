/// Times as the page writes them: UTC, for it may be read anywhere.
package enum Moments {
  private static let daySeconds = 86_400

  struct Parts {
    var (year, month, day, hour, minute, second): (Int, Int, Int, Int, Int, Int)
  }

  /// The proleptic Gregorian calendar, counted in eras of 400 years that begin with March.
  static func parts(_ microseconds: UInt64) -> Parts {
    let seconds = Int(microseconds / 1_000_000)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: daySeconds)
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return Parts(
      year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
      day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1,
      hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60)
  }

  private static func padded(_ value: Int, _ count: Int = 2) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, count - digits.count)) + digits
  }

  /// "2026-11-23 03:14 UTC".
  package static func text(_ microseconds: UInt64) -> String {
    let parts = parts(microseconds)
    let date = "\(padded(parts.year, 4))-\(padded(parts.month))-\(padded(parts.day))"
    return "\(date) \(padded(parts.hour)):\(padded(parts.minute)) UTC"
  }

  /// "2026-11-23T03:14:07Z".
  package static func iso8601(_ microseconds: UInt64) -> String {
    let parts = parts(microseconds)
    let date = "\(padded(parts.year, 4))-\(padded(parts.month))-\(padded(parts.day))"
    return "\(date)T\(padded(parts.hour)):\(padded(parts.minute)):\(padded(parts.second))Z"
  }

  package static func html(_ microseconds: UInt64) -> HTML {
    "<time datetime=\"\(iso8601(microseconds))\">\(text(microseconds))</time>"
  }

  /// "3 days", "12 minutes": one unit, rounded down.
  package static func span(_ microseconds: UInt64) -> String {
    let seconds = Int(clamping: microseconds / 1_000_000)
    for (noun, size) in [("year", 365 * daySeconds), ("day", daySeconds), ("hour", 3600), ("minute", 60)]
    where seconds >= size {
      return Figures.count(seconds / size, noun)
    }
    return Figures.count(seconds, "second")
  }

  /// "3 days ago", "in 2 hours".
  package static func relative(_ moment: UInt64, to now: UInt64) -> String {
    moment > now ? "in \(span(moment - now))" : "\(span(now - moment)) ago"
  }
}
