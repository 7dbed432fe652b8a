import KVInspection

/// What the study takes for granted.
enum ModelSection {
  static func section(_ study: PagingStudy) -> PageFrame.Section {
    PageFrame.Section(
      "model", "What the study assumes", short: "Assumptions",
      lead: "Memory is what is short; compute never is. All policies serve the same requests.", body: rules(study))
  }

  private static func rules(_ study: PagingStudy) -> HTML {
    let model = study.model
    let memory: HTML =
      study.plan.capacityIsChosen
      ? """
      Memory is what the requests of the busiest hour would hold on average if nothing was wasted \
      (\(Figures.count(study.plan.busiestHourTokenCount, "row"))), at least the longest request at the next power of \
      two: a policy that wastes nothing is just about full, and what another wastes it has to refuse.
      """ : "Memory is as large as it was asked for."
    let queue: HTML =
      model.patienceMicroseconds == 0
      ? "There is no queue: who does not fit is refused."
      : """
      Who does not fit waits, first come, first served, and is refused after \
      \(StudyPage.duration(model.patienceMicroseconds)).
      """
    let heads: HTML? =
      study.layout.headsAreAssumed
      ? "<li>The store knows rows, not heads: heads of \(study.layout.headSize) elements are assumed.</li>\n" : nil
    return """
      <ul class="rule">
      <li>\(memory) One row takes \(Figures.bytes(study.layout.tokenByteCount)).</li>
      <li>A request holds its prompt’s rows from when it is admitted, computes them at \
      \(Figures.count(model.prefillRate)) tokens a second, then gains a row in each step of \
      \(Figures.decimal(Double(model.stepMicroseconds) / 1000, digits: 1)) ms, and leaves when its output is whole.</li>
      <li>\(queue)</li>
      <li>Contiguous at the maximum length takes \(Figures.count(model.maximumTokenCount, "row")) for each request; at \
      the next power of two and at the exact length it is told each request’s length, which no server is. Holes that \
      touch become one. The maximum length and powers of two take the first hole that fits.</li>
      <li>Paging takes a block when a row needs one, and admits while a hundredth of the blocks stays free. Where none \
      is left, the newest request goes to disk, and comes back before any other is admitted; how long the disk takes \
      is not counted, how often is.</li>
      <li>Shared prefixes hold what is in memory at the same time, once: full blocks of \
      \(Figures.count(study.workload.prefixBlockTokenCount)) tokens that the trace names. Computing them is not \
      made shorter.</li>
      <li>\(MemorySection.meansOver(study)). In each step used, reserved, wasted inside and \
      free rows add up to all memory.</li>
      \(heads)</ul>

      """
  }
}
