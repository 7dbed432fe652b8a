import KVPager

/// Measures the store against what limits it, in one run.
///
///     kvpager-bench FOLDER SAMPLES [case...] [small | large] [--rounds N] [--library-malloc]
///     kvpager-bench large-store DIR ...   (see LargeStores)
///     kvpager-bench inspect DIR ...       (see InspectorMeasurement)
@main
struct Benchmarks {
  static func main() {
    do {
      try run()
    } catch {
      System.end("\(error)")
    }
  }

  private static func run() throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    var rounds = 5
    if arguments.first != "attention", let at = arguments.firstIndex(of: "--rounds"), at + 1 < arguments.count {
      rounds = max(1, Int(arguments[at + 1]) ?? rounds)
      arguments.removeSubrange(at...at + 1)
    }
    if let at = arguments.firstIndex(of: "--library-malloc") {
      arguments.remove(at: at)
    } else {
      System.raiseMallocThresholds()
    }
    if arguments.first == "attention" { return try AttentionCases(Array(arguments.dropFirst())).run() }
    if arguments.first == "attention-peer" { return try AttentionPeer.run(Array(arguments.dropFirst())) }
    if arguments.first == "beside" { return try BesideWriter.run(Array(arguments.dropFirst())) }
    if arguments.first == "large-store" { return try LargeStores.run(Array(arguments.dropFirst())) }
    if arguments.first == "inspect" { return InspectorMeasurement.run(Array(arguments.dropFirst())) }
    guard arguments.count >= 2 else {
      print("usage: kvpager-bench FOLDER SAMPLES [case...] [small | large] [--rounds N] [--library-malloc]")
      print("cases: ingest resume gather lookup decode open")
      return
    }
    let chosen = Set(arguments[2...]).subtracting(["small", "large"])
    let shapes: [Shape] =
      arguments.contains("large") ? [.large] : arguments.contains("small") ? [.small] : [.small, .large]
    for shape in shapes {
      let bench = try Bench(shape: shape, folder: arguments[0], samples: arguments[1], rounds: rounds)
      for (name, body) in bench.cases where chosen.isEmpty || chosen.contains(name) { try body() }
    }
  }
}

/// Which model the rows are shaped like.
struct Shape {
  let name: String
  let sample: String
  let planeCount: Int
  let rowByteCount: Int
  let tokenCount: Int
  let blockTokenCounts: [Int]

  static let small = Shape(
    name: "135M f16, 60 planes x 384 B", sample: "smollm2-135m_512tok_f16_fa.v4.ggsq", planeCount: 60,
    rowByteCount: 384, tokenCount: 4096, blockTokenCounts: [64, 16])
  static let large = Shape(
    name: "8B bf16, 64 planes x 2048 B", sample: "smollm2-135m_48tok_bf16_fa.v4.ggsq", planeCount: 64,
    rowByteCount: 2048, tokenCount: 1024, blockTokenCounts: [64, 16])
}
