/// A whole page in one file: no network, its styles and scripts named by digest in its policy, readable without
/// scripts, in light and dark, on a phone, in print and by a screen reader.
package struct PageFrame {
  package struct Section {
    /// What links point to: letters and hyphens.
    package var name: StaticString
    package var title: HTML
    /// The title in the list of sections.
    package var shortTitle: HTML
    /// What the section says, in a sentence or two.
    package var lead: HTML
    package var body: HTML

    package init(_ name: StaticString, _ title: HTML, short: HTML? = nil, lead: HTML = .empty, body: HTML) {
      self.name = name
      self.title = title
      shortTitle = short ?? title
      self.lead = lead
      self.body = body
    }
  }

  /// Of the browser's tab.
  package var title: String
  /// The page's heading and what stands with it.
  package var masthead: HTML
  package var sections: [Section]
  package var footer: HTML
  package var styles: [String] = [PageStyle.text]
  package var scripts: [String] = [PageScript.text]

  package init(title: String, masthead: HTML, sections: [Section], footer: HTML) {
    self.title = title
    self.masthead = masthead
    self.sections = sections
    self.footer = footer
  }

  package var text: String {
    let page: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="\(ContentPolicy.text(styles: styles, scripts: scripts))">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="referrer" content="no-referrer">
      <title>\(title)</title>
      <link rel="icon" href="data:,">
      \(styles.map { "<style>\(HTML(trusted: $0))</style>\n" as HTML })</head>
      <body>
      <a class="skip" href="#content">Skip to the figures</a>
      <header class="masthead"><div class="wide">
      \(masthead)
      </div></header>
      <nav class="contents" aria-label="Sections"><div class="wide">
      <ul>\(sections.map(Self.link))</ul>
      <button type="button" class="theme scripted" data-theme-switch>Theme: system</button>
      </div></nav>
      <main id="content" class="wide" tabindex="-1">
      \(sections.map(Self.section))</main>
      <footer class="wide">
      \(footer)
      </footer>
      \(PagePatterns.html)
      \(scripts.map { "<script>\(HTML(trusted: $0))</script>\n" as HTML })</body>
      </html>

      """
    return page.markup
  }

  private static func link(_ section: Section) -> HTML {
    "<li><a href=\"#\(section.name.description)\">\(section.shortTitle)</a></li>"
  }

  private static func section(_ section: Section) -> HTML {
    let name = section.name.description
    let lead: HTML? = section.lead.isEmpty ? nil : "<p class=\"lead\">\(section.lead)</p>\n"
    return """
      <section id="\(name)" aria-labelledby="\(name)-title">
      <h2 id="\(name)-title">\(section.title)</h2>
      \(lead)\(section.body)
      </section>

      """
  }
}

/// Fills that tell parts apart without colour. Shared by all drawings of a page.
enum PagePatterns {
  static let html: HTML = """
    <svg class="patterns" aria-hidden="true" width="0" height="0"><defs>
    <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
    <rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern>
    <pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse">\
    <rect class="hatch-ground" width="6" height="6"/><circle class="hatch-line" cx="3" cy="3" r="1.2"/></pattern>
    </defs></svg>
    """
}
