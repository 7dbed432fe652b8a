import KVInspection

/// What became of the requests.
enum RequestsSection {
  static func section(_ study: PagingStudy) -> PageFrame.Section {
    let rows = study.outcomes.map { outcome in
      StackRows.Row(
        name: "\(outcome.policy.name)",
        parts: [("t1", Double(outcome.admittedCount)), ("hatched", Double(outcome.refusedCount))],
        figure: "\(Figures.count(outcome.refusedCount)) refused",
        note: "\(Figures.decimal(outcome.meanHeld, digits: 1)) held")
    }
    let figure = Figure.html(
      "Admitted and refused",
      drawing: StackRows(rows: rows).html + Legend.html([("t1", "admitted"), ("hatched", "refused")]),
      table: table(study).html, tableTitle: "All figures as a table")
    return PageFrame.Section(
      "requests", "What became of the requests", short: "Requests", lead: lead(study), body: figure)
  }

  private static func lead(_ study: PagingStudy) -> HTML {
    let contiguous = study.contiguous.filter { $0.refusedThoughFree > 0 }
    guard let worst = contiguous.max(by: { $0.refusedThoughFree < $1.refusedThoughFree }) else {
      return "No request was refused while enough memory for all of its rows was free."
    }
    return """
      Under “\(worst.policy.name)” \(Figures.count(worst.refusedThoughFree, "request")) went away while memory for \
      every row of theirs was free, once \(Figures.share(worst.largestFreeRefused, of: worst.capacityTokenCount)) of \
      all memory for a request of \(Figures.count(worst.largestFreeRefusedNeed, "row")).
      """
  }

  private static func table(_ study: PagingStudy) -> DataTable {
    var table = DataTable(
      "Requests by policy",
      [
        .text("Policy"), .number("Admitted"), .number("Refused"), .number("of them too long ever"),
        .number("though enough was free"), .number("largest free share then"), .number("Preempted"),
        .number("Rows to disk and back"), .number("Held, mean"), .number("Held, most"),
      ], isSortable: true)
    for outcome in study.outcomes {
      table.append([
        "\(outcome.policy.name)", Figures.html(count: outcome.admittedCount), Figures.html(count: outcome.refusedCount),
        Figures.html(count: outcome.neverFitCount), Figures.html(count: outcome.refusedThoughFree),
        "\(Figures.share(outcome.largestFreeRefused, of: outcome.capacityTokenCount))",
        Figures.html(count: outcome.preemptionCount), Figures.html(count: outcome.preemptedTokenCount),
        "\(Figures.decimal(outcome.meanHeld, digits: 1))", Figures.html(count: outcome.peakHeld),
      ])
    }
    return table
  }
}
