/// One way to do a case's work: what is measured, or a limit that it is held against.
struct Arm {
  let name: String
  /// Done before each round, unmeasured.
  var prepare: () throws -> Void = {}
  let body: () throws -> Void
}

/// What a case's work amounts to, for rates.
enum Work {
  case bytes(Int)
  case times(Int, of: String)
}

/// Runs a case's arms in turn, round after round, so that what else the machine does meets all of them alike.
struct Measurement {
  let title: String
  let work: Work
  /// The first is the limit that ratios are taken against.
  let arms: [Arm]

  func run(rounds: Int) throws {
    var samples = [[Double]](repeating: [], count: arms.count)
    for round in 0...rounds {
      for (index, arm) in arms.enumerated() {
        try arm.prepare()
        let started = ContinuousClock.now
        try arm.body()
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        // Round 0 warms up.
        if round > 0 { samples[index].append(seconds) }
      }
    }
    print("\n\(title)")
    let medians = samples.map { $0.sorted()[$0.count / 2] }
    for (index, arm) in arms.enumerated() {
      let spread =
        "\(Text.fixed(1000 * (samples[index].min() ?? 0), 2))-\(Text.fixed(1000 * (samples[index].max() ?? 0), 2))"
      print(
        "  " + Text.padded(arm.name, 46) + Text.leading(Text.fixed(1000 * medians[index], 2), 10) + " ms "
          + Text.leading(rate(medians[index]), 18) + Text.leading(Text.fixed(medians[index] / medians[0], 2), 9) + " x"
          + "   (" + spread + ")")
    }
  }

  private func rate(_ seconds: Double) -> String {
    switch work {
    case .bytes(let count): Text.fixed(Double(count) / seconds / 1e9, 3) + " GB/s"
    case .times(let count, let unit): Text.fixed(seconds / Double(count) * 1e9, 0) + " ns/" + unit
    }
  }
}

enum Text {
  static func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return "\(scaled)" }
    let fraction = "\(scaled % Int(scale))"
    return "\(scaled / Int(scale))." + String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func leading(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
