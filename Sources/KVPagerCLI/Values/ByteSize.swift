import ArgumentParser

/// A number of bytes as people write it: `4096`, `64MiB`, `1.5GiB`, `20GB`.
struct ByteSize: Hashable, Sendable {
  let byteCount: Int

  init(_ byteCount: Int) { self.byteCount = byteCount }

  private static let units: [(name: String, byteCount: Int)] = [
    ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
    ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
    ("b", 1), ("", 1),
  ]

  /// Nil for anything but a decimal number and a unit, and for what no `Int` holds.
  init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unitName = text.dropFirst(digits.count).lowercased()
    guard let unit = Self.units.first(where: { $0.name == unitName }) else { return nil }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let whole = Int(parts[0]) else { return nil }
    let (wholeByteCount, overflow) = whole.multipliedReportingOverflow(by: unit.byteCount)
    guard !overflow else { return nil }
    var byteCount = wholeByteCount
    if parts.count == 2 {
      // Nine digits say more than a byte of a TiB needs, and stay inside an Int.
      guard let fraction = Int(parts[1]), parts[1].count <= 9, unit.byteCount > 1 else { return nil }
      let scale = (0..<parts[1].count).reduce(1) { scale, _ in scale * 10 }
      let (added, overflow) = byteCount.addingReportingOverflow(
        Int(Double(fraction) / Double(scale) * Double(unit.byteCount)))
      guard !overflow else { return nil }
      byteCount = added
    }
    self.byteCount = byteCount
  }
}

extension ByteSize: CustomStringConvertible {
  /// In the largest binary unit that leaves a number over 1: "512 B", "1.5 KiB", "11.3 MiB".
  var description: String {
    guard byteCount >= 1024 else { return "\(byteCount) B" }
    var value = Double(byteCount) / 1024
    var unit = "KiB"
    for larger in ["MiB", "GiB", "TiB", "PiB"] where value >= 999.95 {
      value /= 1024
      unit = larger
    }
    return "\(Decimal.text(value, digits: 1)) \(unit)"
  }
}

extension ByteSize: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }

  /// As it can be written on a command line, for help texts.
  var defaultValueDescription: String {
    for (name, scale) in [("GiB", 1 << 30), ("MiB", 1 << 20)] where byteCount >= scale && byteCount % scale == 0 {
      return "\(byteCount / scale)\(name)"
    }
    return String(byteCount)
  }
}

/// Numbers with a fixed count of decimals; Foundation's formatters stay out.
enum Decimal {
  static func text(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let number = Int(scaled)
    let whole = number / Int(scale)
    let sign = value < 0 && number > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(number % Int(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
  }
}
