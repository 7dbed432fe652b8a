import KVBlocks
import KVInspection

/// A study as a page, in the style of a store's report.
package enum StudyPage {
  package static func text(_ study: PagingStudy, programVersion: String) -> String {
    var sections = [RecommendationSection.section(study), MemorySection.section(study), RequestsSection.section(study)]
    sections.append(ScenarioSection.section(study.scenario))
    if let measurements = study.measurements { sections.append(MeasuredSection.section(study, measurements)) }
    sections.append(ModelSection.section(study))
    var frame = PageFrame(
      title: "Paging study – kvpager", masthead: masthead(study, programVersion), sections: sections, footer: footer)
    frame.styles += [ChartStyle.text, StudyStyle.text]
    return frame.text
  }

  static func percent(_ share: Double, digits: Int = 1) -> String {
    "\(Figures.decimal(share * 100, digits: digits))\u{a0}%"
  }

  static func duration(_ microseconds: Int) -> String {
    let seconds = Double(microseconds) / 1_000_000
    if seconds < 120 { return "\(Figures.decimal(seconds, digits: seconds < 10 ? 1 : 0))\u{a0}s" }
    if seconds < 7200 { return "\(Figures.decimal(seconds / 60, digits: 1))\u{a0}min" }
    return "\(Figures.decimal(seconds / 3600, digits: 1))\u{a0}h"
  }

  private static func identity(_ study: PagingStudy, _ version: String) -> [HTML] {
    let memory =
      "\(Figures.bytes(study.plan.capacityByteCount)), \(Figures.count(study.model.capacityTokenCount, "row"))"
    let requests =
      "\(Figures.count(study.workload.requests.count)) in \(duration(study.workload.spanMicroseconds))"
    let facts: [(HTML, HTML)] = [
      ("Model", "\(study.layout.summary)"), ("Memory", "\(memory)"), ("Requests", "\(requests)"),
      ("Study", "kvpager \(version)"),
    ]
    return facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" }
  }

  private static func masthead(_ study: PagingStudy, _ version: String) -> HTML {
    func tile(_ title: HTML, _ figure: HTML, _ note: HTML) -> HTML {
      "<div><dt>\(title)</dt><dd>\(figure)<small>\(note)</small></dd></div>\n"
    }
    let chosen = study.outcome(
      .paged(blockTokenCount: study.recommendation.blockTokenCount, sharesPrefixes: false))
    var tiles = [
      tile(
        "Recommended", Figures.html(study.recommendation.blockTokenCount, "\(study.recommendation.blockTokenCount)"),
        "tokens in a block")
    ]
    func used(_ policy: AllocationPolicy, _ title: HTML, _ note: HTML) {
      guard let outcome = study.outcome(policy) else { return }
      tiles.append(tile(title, "\(percent(outcome.share(\.used), digits: 0))", note))
    }
    used(.contiguous(.maximum, .first), "Maximum length", "of memory used")
    used(.contiguous(.exact, .first), "Exact length", "of memory used, by an oracle")
    if let chosen {
      tiles += [
        tile("Paged", "\(percent(chosen.share(\.used), digits: 0))", "of memory used"),
        tile("Unused of taken", "\(percent(chosen.unusedShareOfTaken))", "paged, as recommended"),
        tile("Held at once", "\(Figures.decimal(chosen.meanHeld, digits: 1))", "requests on average, paged"),
      ]
    }
    return """
      <p class="kind">kvpager paging study</p>
      <h1>\(StoreText.visible(study.workload.name))</h1>
      <dl class="identity">\(identity(study, version))</dl>
      <dl class="tiles">
      \(tiles)</dl>
      """
  }

  private static let footer: HTML = """
    <h2>Words</h2>
    <dl>
    <dt>row</dt><dd>keys and values of one token, all layers</dd>
    <dt>block</dt><dd>rows of a fixed number of tokens; a sequence’s blocks may lie anywhere</dd>
    <dt>contiguous</dt><dd>all rows of a sequence one after the other, in one stretch that is taken before its length \
    is known</dd>
    <dt>hole</dt><dd>free rows between two stretches</dd>
    </dl>
    <p class="below">Made by <code>kvpager study paging</code>. KiB, MiB and GiB are powers of 1,024. This page loads \
    nothing from anywhere.</p>
    """
}
