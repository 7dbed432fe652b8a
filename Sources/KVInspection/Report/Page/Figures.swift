/// Numbers as the page writes them, with their units, from which no line end parts them. Foundation's formatters stay
/// out.
package enum Figures {
  /// "1,048,576".
  package static func count(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "−" + text : text
  }

  /// "1 block", "2,000 blocks".
  package static func count(_ value: Int, _ noun: String) -> String {
    "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// "512 B", "1.5 KiB", "11.3 MiB".
  package static func bytes(_ value: Int) -> String {
    guard value >= 1024 else { return "\(value)\u{a0}B" }
    var number = Double(value) / 1024
    var unit = "KiB"
    for larger in ["MiB", "GiB", "TiB", "PiB"] where number >= 999.95 {
      number /= 1024
      unit = larger
    }
    return "\(decimal(number, digits: 1))\u{a0}\(unit)"
  }

  /// "1.63 ×"; a dash where there is nothing to compare.
  package static func factor(_ before: Int, _ after: Int) -> String {
    guard before > 0, after > 0 else { return "–" }
    return "\(decimal(Double(before) / Double(after), digits: 2))\u{a0}×"
  }

  /// "41 %", "0.3 %"; never 0 or 100 % for what is not.
  package static func share(_ part: Int, of whole: Int) -> String {
    guard whole > 0 else { return "–" }
    let percent = Double(part) / Double(whole) * 100
    if part > 0, percent < 0.05 { return "< 0.1\u{a0}%" }
    if part < whole, percent > 99.9 { return "> 99.9\u{a0}%" }
    return "\(decimal(percent, digits: percent < 10 && part > 0 ? 1 : 0))\u{a0}%"
  }

  package static func decimal(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let number = Int(scaled)
    let sign = value < 0 && number > 0 ? "−" : ""
    let whole = count(number / Int(scale))
    guard digits > 0 else { return sign + whole }
    let fraction = String(number % Int(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
  }

  /// A position or a width in a drawing: a part of 1 as "12.5%", without what no eye sees.
  package static func percent(_ part: Double) -> String {
    guard part.isFinite else { return "0%" }
    let thousandths = Int((min(max(part, 0), 1) * 100_000).rounded())
    let (whole, fraction) = thousandths.quotientAndRemainder(dividingBy: 1000)
    guard fraction > 0 else { return "\(whole)%" }
    var digits = String(String(1000 + fraction).dropFirst())
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)%"
  }

  // MARK: In the page

  /// A number that people read and programs do too.
  package static func html(_ value: Int, _ text: String) -> HTML { "<data value=\"\(value)\">\(text)</data>" }
  package static func html(bytes value: Int) -> HTML { html(value, bytes(value)) }
  package static func html(count value: Int) -> HTML { html(value, count(value)) }

  /// A number that has a name in the page, the same as in the JSON: "bytes.unique".
  package static func html(_ value: Int, _ text: String, named name: String) -> HTML {
    "<data data-figure=\"\(name)\" value=\"\(value)\">\(text)</data>"
  }
}
