import KVPager
import KVStudy

/// A study as tables of up to 100 columns.
struct PagingStudyText {
  private let study: PagingStudy

  init(_ study: PagingStudy) { self.study = study }

  var text: String {
    [facts, memory, requests, scenario, recommendation].joined(separator: "\n")
  }

  private static func percent(_ share: Double) -> String { "\(Decimal.text(share * 100, digits: 1)) %" }

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
    let why = study.capacityIsChosen ? ", what the busiest hour would hold" : ""
    list.add(
      "memory",
      "\(ByteSize(model.capacityTokenCount * layout.tokenByteCount)), "
        + "\(Decimal.grouped(model.capacityTokenCount)) rows\(why)")
    list.add(
      "server",
      "a token in \(Decimal.significant(Double(model.stepMicroseconds) / 1000)) ms, prefill of "
        + "\(Decimal.grouped(model.prefillRate)) tokens/s, "
        + (model.patienceMicroseconds == 0 ? "no queue" : "patience \(Self.seconds(model.patienceMicroseconds))"))
    return list.text
  }

  /// Of those that share prefixes, what a glance needs; --json has all.
  private var shown: [PolicyOutcome] {
    study.contiguous + study.paged + study.sharing.filter { [16, 64, 512].contains($0.policy.blockTokenCount) }
  }

  private var memory: String {
    var table = TextTable([
      ("MEMORY, MEAN OVER TIME", .left), ("USED", .right), ("RESERVED", .right), ("INSIDE", .right),
      ("OUTSIDE", .right), ("FREE", .right), ("UNUSED OF TAKEN", .right), ("PEAK USED", .right),
    ])
    for outcome in shown {
      table.append([
        outcome.policy.name, Self.percent(outcome.share(\.used)), Self.percent(outcome.share(\.reserved)),
        Self.percent(outcome.share(\.inside)), Self.percent(outcome.share(\.outside)),
        Self.percent(outcome.share(\.free) - outcome.share(\.outside)), Self.percent(outcome.unusedShareOfTaken),
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
  }

  private var scenario: String {
    let scenario = study.scenario
    let need = scenario.longRequest.tokenCount
    var table = TextTable([
      ("FRAGMENTATION", .left), ("FREE", .right), ("HOLES", .right), ("LARGEST", .right), ("ASKS FOR", .right),
      ("FREE / NEED", .right), ("", .left),
    ])
    for verdict in scenario.verdicts {
      table.append([
        verdict.policy.name, Decimal.grouped(verdict.freeTokenCount), Decimal.grouped(verdict.holeCount),
        Decimal.grouped(verdict.largestHoleTokenCount), Decimal.grouped(verdict.wantedTokenCount),
        Share.factor(verdict.freeTokenCount, need), verdict.isAdmitted ? "admitted" : "refused",
      ])
    }
    return "After \(Decimal.grouped(scenario.shortRequests.count)) short requests came and went, a request of "
      + "\(Decimal.grouped(need)) rows meets\na memory of \(Decimal.grouped(scenario.model.capacityTokenCount)) rows:\n"
      + table.text
  }

  private var recommendation: String { "block size \(study.recommendation.blockTokenCount)\n" }
}
