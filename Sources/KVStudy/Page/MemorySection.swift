import KVInspection

/// Where memory is under each policy: on average, by block size, over time.
enum MemorySection {
  static func section(_ study: PagingStudy) -> PageFrame.Section {
    PageFrame.Section(
      "memory", "Where the memory is", short: "Memory", lead: lead(study),
      body: [byPolicy(study), waste(study), overTime(study)].joined())
  }

  private static func lead(_ study: PagingStudy) -> HTML {
    guard let maximum = study.outcome(.contiguous(.maximum, .first)),
      let exact = study.outcome(.contiguous(.exact, .first)),
      let paged = study.outcome(.paged(blockTokenCount: 16, sharesPrefixes: false))
    else {
      return .empty
    }
    return """
      Contiguous at the maximum length, \(StudyPage.percent(maximum.share(\.used))) of memory holds a token; at the \
      exact length, which nobody knows before, \(StudyPage.percent(exact.share(\.used))); in blocks of 16, \
      \(StudyPage.percent(paged.share(\.used))). Of what those blocks take, \
      \(StudyPage.percent(paged.unusedShareOfTaken, digits: 2)) holds no token.
      """
  }

  /// Which time means are over.
  static func meansOver(_ study: PagingStudy) -> HTML {
    guard let time = study.plan.measuredMicroseconds else {
      return "Means are over the time from the first arrival to the last"
    }
    return """
      Means are over the busiest hour, which begins \(StudyPage.duration(time.lowerBound)) after the first arrival: in \
      it memory is short, and hours in which little runs would only make each policy look like the next
      """
  }

  private static func byPolicy(_ study: PagingStudy) -> HTML {
    let rows = study.outcomes.map { outcome in
      StackRows.Row(
        name: "\(outcome.policy.name)",
        parts: MemoryUse.allCases.map { ($0.fill, Double($0.sum(outcome.sums))) }.map { part in
          (part.0, part.1 / Double(max(1, outcome.sums.stepCount)) / Double(outcome.capacityTokenCount))
        }, figure: "\(StudyPage.percent(outcome.share(\.used)))")
    }
    var table = DataTable(
      "Memory by policy, means over time as shares of all memory",
      [.text("Policy")] + MemoryUse.allCases.map { .number($0.name) } + [
        .number("unused of taken"), .number("peak used"),
      ])
    for outcome in study.outcomes {
      let all = Double(max(1, outcome.sums.stepCount)) * Double(outcome.capacityTokenCount)
      table.append(
        ["\(outcome.policy.name)"]
          + MemoryUse.allCases.map { "\(StudyPage.percent(Double($0.sum(outcome.sums)) / all))" } + [
            "\(StudyPage.percent(outcome.unusedShareOfTaken, digits: 2))",
            "\(StudyPage.percent(Double(outcome.peakUsed) / Double(outcome.capacityTokenCount)))",
          ])
    }
    return Figure.html(
      "Memory by policy", note: "\(meansOver(study)). The figure is what is used.",
      drawing: StackRows(rows: rows, whole: 1).html + MemoryUse.legend, table: table.html)
  }

  private static func waste(_ study: PagingStudy) -> HTML {
    var table = DataTable(
      "Waste by block size, as shares of the memory taken",
      [.number("Tokens in a block"), .number("reserved"), .number("wasted inside"), .number("both")])
    let rows = study.paged.map { outcome -> StackRows.Row in
      let taken = Double(max(1, outcome.sums.used + outcome.sums.reserved + outcome.sums.inside))
      let (reserved, inside) = (Double(outcome.sums.reserved) / taken, Double(outcome.sums.inside) / taken)
      let size = outcome.policy.blockTokenCount ?? 0
      table.append([
        Figures.html(count: size), "\(StudyPage.percent(reserved, digits: 2))",
        "\(StudyPage.percent(inside, digits: 2))", "\(StudyPage.percent(reserved + inside, digits: 2))",
      ])
      return StackRows.Row(
        name: "\(Figures.count(size, "token"))", parts: [("t3", reserved), ("hatched", inside)],
        figure: "\(StudyPage.percent(reserved + inside, digits: 2))")
    }
    return Figure.html(
      "Waste by block size", note: "Rows of last blocks that hold no token, of all rows that blocks take.",
      drawing: StackRows(rows: rows).html
        + Legend.html([("t3", "will hold a token later"), ("hatched", "never will")]),
      table: table.html)
  }

  private static func overTime(_ study: PagingStudy) -> HTML {
    let policies: [AllocationPolicy] = [
      .contiguous(.maximum, .first), .contiguous(.powerOfTwo, .first), .contiguous(.exact, .first),
      .paged(blockTokenCount: study.recommendation.blockTokenCount, sharesPrefixes: false),
    ]
    let outcomes = policies.compactMap { study.outcome($0) }
    let figures = outcomes.map { outcome -> HTML in
      let span = outcome.timeline.stepCount * study.model.stepMicroseconds
      var table = DataTable(
        "\(outcome.policy.name) over time", [.number("Minutes")] + MemoryUse.allCases.map { .number($0.name) })
      // A dozen lines say enough; the drawing and --json have all.
      let parts = outcome.timeline.parts
      for index in stride(from: 0, to: parts.count, by: max(1, parts.count / 12)) {
        let part = parts[index]
        let all = Double(max(1, part.stepCount)) * Double(outcome.capacityTokenCount)
        let minutes =
          Double(index * outcome.timeline.partStepCount * study.model.stepMicroseconds) / 60_000_000
        table.append(
          ["\(Figures.decimal(minutes, digits: 1))"]
            + MemoryUse.allCases.map { "\(StudyPage.percent(Double($0.sum(part)) / all))" })
      }
      return Figure.html(
        "Over time: \(outcome.policy.name)", drawing: OccupancyChart.html(outcome, span: "\(StudyPage.duration(span))"),
        table: table.html)
    }
    return Figure.row(figures) + MemoryUse.legend
  }
}
