import KVInspection

/// The scenario `fragmentation`.
enum ScenarioSection {
  static func section(_ scenario: FragmentationScenario) -> PageFrame.Section {
    PageFrame.Section(
      "fragmentation", "Refused though far more is free", short: "Fragmentation", lead: lead(scenario),
      body: maps(scenario) + table(scenario).html)
  }

  private static func lead(_ scenario: FragmentationScenario) -> HTML {
    let need = scenario.longRequest.tokenCount
    guard let exact = scenario.verdicts.first(where: { $0.policy == .contiguous(.exact, .first) }),
      let paged = scenario.verdicts.first(where: { $0.policy.blockTokenCount != nil })
    else {
      return .empty
    }
    return """
      \(Figures.count(scenario.shortRequests.count)) short requests came, and most of them have gone again. Now one \
      of \(Figures.count(need, "row")) comes. Contiguous memory has \(Figures.count(exact.freeTokenCount)) rows free, \
      \(Figures.factor(exact.freeTokenCount, need)) what it needs, in \(Figures.count(exact.holeCount, "hole")) of at \
      most \(Figures.count(exact.largestHoleTokenCount)): it is \(exact.isAdmitted ? "admitted" : "refused"). Paged \
      memory has \(Figures.count(paged.freeTokenCount)) free, nowhere more than \
      \(Figures.count(paged.largestHoleTokenCount)) in a row, and it is \(paged.isAdmitted ? "admitted" : "refused").
      """
  }

  private static func maps(_ scenario: FragmentationScenario) -> HTML {
    let shown = scenario.verdicts.filter {
      $0.policy == .contiguous(.exact, .first) || $0.policy.blockTokenCount != nil
    }
    let figures = shown.map { verdict in
      Figure.html(
        "\(verdict.policy.name): \(verdict.isAdmitted ? "admitted" : "refused")",
        note: """
          All \(Figures.count(scenario.model.capacityTokenCount)) rows, line by line, when the long request comes.
          """,
        drawing: AddressMap.html(verdict, capacity: scenario.model.capacityTokenCount))
    }
    return Figure.row(figures)
      + Legend.html([
        ("t1", "used"), ("t3", "reserved"), ("t5", "wasted inside"), ("hollow-plain", "free"),
        ("t2", "given to the long request"),
      ])
  }

  private static func table(_ scenario: FragmentationScenario) -> DataTable {
    let need = scenario.longRequest.tokenCount
    let caption: HTML = """
      The long request needs \(Figures.count(need, "row")), \(Figures.count(scenario.longRequest.promptTokenCount)) of \
      them at once
      """
    var table = DataTable(
      caption,
      [
        .text("Policy"), .number("Short ones admitted"), .number("Rows free"), .number("free / needed"),
        .number("Holes"), .number("Largest hole"), .number("Asks for"), .text("Verdict"),
      ])
    for verdict in scenario.verdicts {
      table.append([
        "\(verdict.policy.name)", Figures.html(count: verdict.admittedCount),
        Figures.html(count: verdict.freeTokenCount), "\(Figures.factor(verdict.freeTokenCount, need))",
        Figures.html(count: verdict.holeCount), Figures.html(count: verdict.largestHoleTokenCount),
        Figures.html(count: verdict.wantedTokenCount), verdict.isAdmitted ? "admitted" : "refused",
      ])
    }
    return table
  }
}
