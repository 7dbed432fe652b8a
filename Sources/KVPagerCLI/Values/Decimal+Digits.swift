/// Numbers for people, of any size.
extension Decimal {
  /// Three digits that say something: "12.3", "0.0123", "1.23e-07"; whole numbers up to 999,999 as they are.
  static func significant(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    let magnitude = abs(value)
    guard magnitude > 0 else { return "0" }
    if magnitude < 1e6, value == value.rounded() { return String(Int(value)) }
    var exponent = 0
    var scaled = magnitude
    while scaled >= 9.995 { (scaled, exponent) = (scaled / 10, exponent + 1) }
    while scaled < 0.9995 { (scaled, exponent) = (scaled * 10, exponent - 1) }
    if (-4..<6).contains(exponent) { return text(value, digits: max(2 - exponent, 0)) }
    let sign = value < 0 ? "-" : ""
    let power = String(abs(exponent))
    return "\(sign)\(text(scaled, digits: 2))e\(exponent < 0 ? "-" : "+")\(power.count < 2 ? "0" : "")\(power)"
  }

  /// "1,234,567".
  static func grouped(_ value: Int) -> String {
    var digits = String(value.magnitude)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.append(digits.suffix(3))
      digits.removeLast(3)
    }
    groups.append(digits[...])
    return (value < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
  }
}
