import KVPager
import KVStudy

/// A study as tables of up to 100 columns.
struct PagingStudyText {
  private let study: PagingStudy

  init(_ study: PagingStudy) { self.study = study }

  var text: String {
    [facts, memory, requests, scenario, measured, costs, recommendation].filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private static func percent(_ share: Double, digits: Int = 1) -> String {
    "\(Decimal.text(share * 100, digits: digits)) %"
  }

  private static func seconds(_ microseconds: Int) -> String {
    let seconds = Double(microseconds) / 1_000_000
    return seconds < 120
      ? "\(Decimal.significant(seconds)) s"
      : seconds < 7200
        ? "\(Decimal.text(seconds / 60, digits: 1)) min" : "\(Decimal.text(seconds / 3600, digits: 1)) h"
  }

  private var facts: String {
    var list = FactList()
    let (layout, workload, model) = (study.layout, study.workload, study.model)
    list.add("layout", "\(layout.summary): \(ByteSize(layout.tokenByteCount)) a token")
    list.add(
      "workload",
      "\(Answer.printable(workload.name)): \(Answer.count(workload.requests.count, "request", isGrouped: true)) in "
        + Self.seconds(workload.spanMicroseconds))
    let mean = { (sum: Int) in Decimal.grouped(sum / workload.requests.count) }
    list.add(
      "lengths",
      "prompts \(mean(workload.promptTokenCount)) tokens on average, outputs \(mean(workload.outputTokenCount)), "
        + "longest in all \(Decimal.grouped(workload.longestTokenCount))")
    let why = study.plan.capacityIsChosen ? ", what the busiest hour would hold" : ""
    list.add(
      "memory",
      "\(ByteSize(study.plan.capacityByteCount)), "
        + "\(Decimal.grouped(model.capacityTokenCount)) rows\(why)")
    list.add(
      "server",
      "a token in \(Decimal.significant(Double(model.stepMicroseconds) / 1000)) ms, prefill of "
        + "\(Decimal.grouped(model.prefillRate)) tokens/s, "
        + (model.patienceMicroseconds == 0 ? "no queue" : "patience \(Self.seconds(model.patienceMicroseconds))"))
    if let time = study.plan.measuredMicroseconds {
      list.add("means", "over the busiest hour, from \(Self.seconds(time.lowerBound)) after the first arrival on")
    }
    return list.text
  }

  /// Of those that share prefixes, what a glance needs; --json has all.
  private var shown: [PolicyOutcome] {
    study.contiguous + study.paged + study.sharing.filter { [16, 64, 512].contains($0.policy.blockTokenCount) }
  }

  private var memory: String {
    var table = TextTable([
      (study.model.measuredSteps == nil ? "MEMORY, MEAN OVER TIME" : "MEMORY, BUSIEST HOUR", .left), ("USED", .right),
      ("RESERVED", .right), ("INSIDE", .right),
      ("OUTSIDE", .right), ("FREE", .right), ("UNUSED OF TAKEN", .right), ("PEAK USED", .right),
    ])
    for outcome in shown {
      table.append([
        outcome.policy.name, Self.percent(outcome.share(\.used)), Self.percent(outcome.share(\.reserved)),
        Self.percent(outcome.share(\.inside)), Self.percent(outcome.share(\.outside)),
        Self.percent(outcome.share(\.free) - outcome.share(\.outside)),
        Self.percent(outcome.unusedShareOfTaken, digits: 2),
        Self.percent(Double(outcome.peakUsed) / Double(outcome.capacityTokenCount)),
      ])
    }
    return table.text
  }

  private var requests: String {
    var table = TextTable([
      ("REQUESTS", .left), ("ADMITTED", .right), ("REFUSED", .right), ("THOUGH FREE", .right),
      ("LARGEST", .right), ("PREEMPTED", .right), ("HELD, MEAN", .right), ("PEAK", .right),
    ])
    for outcome in shown {
      table.append([
        outcome.policy.name, Decimal.grouped(outcome.admittedCount), Decimal.grouped(outcome.refusedCount),
        Decimal.grouped(outcome.refusedThoughFree),
        outcome.refusedThoughFree > 0
          ? Self.percent(Double(outcome.largestFreeRefused) / Double(outcome.capacityTokenCount)) : "-",
        outcome.policy.blockTokenCount == nil ? "-" : Decimal.grouped(outcome.preemptionCount),
        Decimal.text(outcome.meanHeld, digits: 1), Decimal.grouped(outcome.peakHeld),
      ])
    }
    return table.text
      + "though free: refused while all their rows had room in what was free; largest: the most that was\n"
      + "(paging keeps a hundredth free for those that grow)\n"
  }

  private var scenario: String {
    let scenario = study.scenario
    let need = scenario.longRequest.tokenCount
    var table = TextTable([
      ("FRAGMENTATION", .left), ("SERVED", .right), ("FREE", .right), ("HOLES", .right), ("LARGEST", .right),
      ("ASKS FOR", .right),
      ("FREE / NEED", .right), ("", .left),
    ])
    for verdict in scenario.verdicts {
      table.append([
        verdict.policy.name, Decimal.grouped(verdict.admittedCount), Decimal.grouped(verdict.freeTokenCount),
        Decimal.grouped(verdict.holeCount),
        Decimal.grouped(verdict.largestHoleTokenCount), Decimal.grouped(verdict.wantedTokenCount),
        Share.factor(verdict.freeTokenCount, need), verdict.isAdmitted ? "admitted" : "refused",
      ])
    }
    return "After \(Decimal.grouped(scenario.shortRequests.count)) short requests came and went, a request of "
      + "\(Decimal.grouped(need)) rows meets\na memory of \(Decimal.grouped(scenario.model.capacityTokenCount)) rows:\n"
      + table.text
  }

  private var measured: String {
    guard let measurements = study.measurements else { return "" }
    var table = TextTable([
      ("BLOCK", .right), ("ATTENTION", .right), ("LOOK-UP IN RAM", .right), ("ON DISK", .right),
      ("FRAME", .right), ("ON DISK", .right), ("RATIO", .right), ("ENCODE", .right), ("DECODE", .right),
    ])
    for size in AllocationPolicy.blockTokenCounts {
      let (lookup, codec) = (measurements.lookup.figure(size), measurements.codec.figure(size))
      func rate(_ value: Double?) -> String { value.map { "\(Decimal.text($0, digits: 2)) GB/s" } ?? "-" }
      func bytes(_ value: Double?) -> String { value.map { "\(ByteSize(Int($0.rounded())))" } ?? "-" }
      table.append([
        String(size), measurements.attention?.figure(size).map { "\(Decimal.text($0.ratio, digits: 3)) x" } ?? "-",
        lookup.map { "\(Decimal.significant($0.memoryMicroseconds)) us" } ?? "-",
        lookup.map { "\(Decimal.significant($0.diskMicroseconds)) us" } ?? "-", bytes(codec?.frameByteCount),
        bytes(codec?.diskByteCount),
        codec.map { "\(Decimal.text(Double(measurements.codec.tokenByteCount) / $0.diskByteCount, digits: 3)) x" }
          ?? "-",
        rate(codec?.encodeRate), rate(codec?.decodeRate),
      ])
    }
    return "Measured on this machine:\n" + table.text + Self.notes(measurements)
  }

  private static func notes(_ measurements: StudyMeasurements) -> String {
    var lines: [String] = []
    if let attention = measurements.attention {
      lines.append(
        "attention: time through blocks / over one array, one query on \(Decimal.grouped(attention.contextTokenCount)) "
          + "tokens (\(ByteSize(attention.byteCount)) "
          + "of one layer, the caches hold \(ByteSize(attention.cacheByteCount))), blocks anywhere, one thread; "
          + "one array takes \(Decimal.text(attention.contiguousMicroseconds / 1000, digits: 1)) ms, and against "
          + "itself \(Decimal.text(attention.controlRatio, digits: 3)) x, in a round typically "
          + "\(percent(attention.controlSpread)) from 1: a difference up to that is noise")
    } else if let refusal = measurements.attentionRefusal {
      lines.append("attention was not measured: \(refusal)")
    }
    lines.append(
      "look-up: to hash and find \(Decimal.grouped(LookupMeasurement.tokenCount)) stored tokens, for 1,000 of them")
    let codec = measurements.codec
    let source =
      codec.source.map { "of session \"\(Answer.printable($0))\"" } ?? "made up to resemble keys and values"
    lines.append(
      "frame, on disk: bytes a token, with headers and padding; rows \(source), "
        + "\(Decimal.grouped(codec.tokenCount)) tokens")
    return lines.map { wrapped($0, columnCount: 96) }.joined()
  }

  private var costs: String {
    let recommendation = study.recommendation
    guard recommendation.isMeasured else { return "" }
    var table = TextTable([
      ("BLOCK", .right), ("MEMORY WASTED", .right), ("ATTENTION LONGER", .right), ("DISK MORE", .right),
      ("LOOK-UP", .right), ("SUM", .right), ("", .left),
    ])
    func cell(_ share: Double?) -> String { share.map { "\(Decimal.text($0 * 100, digits: 2)) %" } ?? "-" }
    for cost in recommendation.costs {
      table.append([
        String(cost.blockTokenCount), cell(cost.waste), cell(cost.attention), cell(cost.bytes), cell(cost.lookup),
        cell(cost.total), cost.blockTokenCount == recommendation.blockTokenCount ? "<- recommended" : "",
      ])
    }
    return table.text
  }

  private var recommendation: String {
    let sentences = study.recommendation.sentences
    return Self.wrapped(sentences.joined(separator: " "), columnCount: 96)
  }

  private static func wrapped(_ text: String, columnCount: Int) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
      if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + word.count >= columnCount { lines.append("") }
      lines[lines.count - 1] += lines[lines.count - 1].isEmpty ? word : " " + word
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
