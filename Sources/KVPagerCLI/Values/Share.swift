/// Counts and shares for people.
enum Share {
  /// "4.2 %"; "under 0.1 %" for what is more than nothing.
  static func text(_ part: Int, of whole: Int) -> String {
    guard part > 0, whole > 0 else { return "0 %" }
    let percent = Double(part) / Double(whole) * 100
    return percent < 0.05 ? "under 0.1 %" : "\(Decimal.text(percent, digits: 1)) %"
  }

  /// "1.63 x": how many times less there is left; "-" where there is nothing to tell.
  static func factor(_ before: Int, _ after: Int) -> String {
    guard before > 0, after > 0 else { return "-" }
    return "\(Decimal.text(Double(before) / Double(after), digits: 2)) x"
  }
}

extension Decimal {
  /// "1,000,000".
  static func grouped(_ value: some BinaryInteger) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "-" + text : text
  }
}
