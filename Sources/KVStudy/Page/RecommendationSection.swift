import KVInspection

/// Which block size, and why.
enum RecommendationSection {
  static func section(_ study: PagingStudy) -> PageFrame.Section {
    let recommendation = study.recommendation
    return PageFrame.Section(
      "recommendation", "The block size to take", short: "Recommendation",
      lead: "\(recommendation.sentences.joined(separator: " "))", body: costs(recommendation))
  }

  private static func costs(_ recommendation: Recommendation) -> HTML {
    let kinds: [(fill: String, text: HTML, cost: (Recommendation.Cost) -> Double?)] = [
      ("t1", "memory taken that holds no token", { $0.waste }),
      ("t2", "attention that takes longer than over one array", \.attention),
      ("t3", "bytes on disk above the size that takes least", \.bytes),
      ("t4", "look-up on disk, of the time to compute the prompt", \.lookup),
    ]
    let shown = recommendation.isMeasured ? kinds : [kinds[0]]
    let rows = recommendation.costs.map { cost in
      let isChosen = cost.blockTokenCount == recommendation.blockTokenCount
      return StackRows.Row(
        name: "\(Figures.count(cost.blockTokenCount, "token"))",
        parts: shown.map { ($0.fill, $0.cost(cost) ?? 0) },
        figure: "\(StudyPage.percent(cost.total, digits: 2))", note: isChosen ? "recommended" : .empty)
    }
    var table = DataTable(
      "Costs by block size",
      [.number("Tokens in a block")] + shown.map { .number($0.text) } + [.number("Sum"), .text("")])
    for cost in recommendation.costs {
      table.append(
        [Figures.html(count: cost.blockTokenCount)]
          + shown.map { kind in "\(kind.cost(cost).map { StudyPage.percent($0, digits: 2) } ?? "–")" }
          + [
            "\(StudyPage.percent(cost.total, digits: 2))",
            cost.blockTokenCount == recommendation.blockTokenCount ? "recommended" : .empty,
          ])
    }
    return Figure.html(
      "What each block size costs", note: "Each cost is a share of what it is a part of; their sum decides.",
      drawing: StackRows(rows: rows).html + Legend.html(shown.map { ($0.fill, $0.text) }), table: table.html)
  }
}
