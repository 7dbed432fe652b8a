/// Whether the store is sound, in words.
enum HealthSection {
  static func section(_ health: ReportHealth) -> PageFrame.Section {
    PageFrame.Section(
      "health", "Health", lead: lead(health), body: "<ul class=\"findings\">\n\(health.items.map(item))</ul>")
  }

  private static func lead(_ health: ReportHealth) -> HTML {
    let troubles = health.items.count { $0.level == .bad }
    let cares = health.items.count { $0.level == .caution }
    if troubles > 0 {
      return "\(Figures.count(troubles, "thing")) wrong. What is whole can be used and exported all the same."
    }
    if cares > 0 { return "The store is sound; \(Figures.count(cares, "thing")) to look after." }
    return "The store is sound."
  }

  private static func item(_ item: ReportHealth.Item) -> HTML {
    let remedy: HTML? = item.remedy.isEmpty ? nil : " \(StoreText.sentence(item.remedy))"
    return """
      <li>\(mark(item.level))<div><span class="word">\(StoreText.visible(item.title, limit: 200))</span>
      <p>\(StoreText.sentence(item.text))\(remedy)</p></div></li>

      """
  }

  /// A shape and a word for each level, so that no colour needs to be seen.
  static func mark(_ level: ReportHealth.Level) -> HTML {
    switch level {
    case .good:
      """
      <svg class="mark good" role="img" aria-label="In order" viewBox="0 0 22 22"><circle cx="11" cy="11" r="10" \
      fill="currentColor"/><path class="mark-line" d="M6 11.5l3.5 3.5 6.5-7.5" fill="none" stroke="var(--card)" \
      stroke-width="2.4"/></svg>
      """
    case .caution:
      """
      <svg class="mark caution" role="img" aria-label="To look after" viewBox="0 0 22 22"><path d="M11 1l10.5 19H.5z" \
      fill="currentColor"/><path d="M11 7.5v6M11 15.5v2" stroke="var(--card)" stroke-width="2.4"/></svg>
      """
    case .bad:
      """
      <svg class="mark bad" role="img" aria-label="Wrong" viewBox="0 0 22 22"><path d="M7 1h8l6 6v8l-6 6H7l-6-6V7z" \
      fill="currentColor"/><path d="M7.5 7.5l7 7M14.5 7.5l-7 7" stroke="var(--card)" stroke-width="2.4"/></svg>
      """
    }
  }
}
