import Foundation
import KVBlocks
import Testing

@testable import KVInspection

@Suite struct `the report's page` {
  @Test func `what is put into markup is text`() {
    let name = "</td><script>alert('`x`')</script> & \"quoted\""
    let cell: HTML = "<td title=\"\(name)\">\(name)</td>"
    let escaped =
      "&lt;/td&gt;&lt;script&gt;alert(&#39;&#96;x&#96;&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;"
    #expect(cell.markup == "<td title=\"\(escaped)\">\(escaped)</td>")
    let nested: HTML = "<tr>\([cell, cell])\(nil as HTML?)\(7)</tr>"
    #expect(nested.markup == "<tr>\(cell.markup)\(cell.markup)7</tr>")
  }

  @Test func `what would not be seen in a name becomes visible`() {
    #expect(StoreText.visible("a\u{0}b\nc\u{7f}") == "a␀b␊c␡")
    #expect(StoreText.visible("a\u{202e}b\u{2028}\u{85}\u{feff}") == "a\\u{202e}b\\u{2028}\\u{85}\\u{feff}")
    #expect(StoreText.visible("é 漢字 😀 👩‍👩‍👧") == "é 漢字 😀 👩‍👩‍👧")
    #expect(StoreText.visible("") == "(empty)")
    // What an escape takes is counted, and no more is looked at than is shown.
    let long = StoreText.visible(String(repeating: "\u{e000}", count: 1 << 20), limit: 40)
    #expect(long.count < 60 && long.hasSuffix("…"))
  }

  @Test func `commands in a sentence stand out, and nothing else does`() {
    #expect(StoreText.sentence("run `kvpager gc` now").markup == "run <code>kvpager gc</code> now")
    #expect(StoreText.sentence("an odd ` one").markup == "an odd &#96; one")
    #expect(StoreText.sentence("`<b>`").markup == "<code>&lt;b&gt;</code>")
  }

  @Test func `numbers have units and never say nothing or all for what is not`() {
    #expect(Figures.count(1_234_567) == "1,234,567" && Figures.count(999) == "999" && Figures.count(-1000) == "−1,000")
    #expect(Figures.bytes(1023) == "1023\u{a0}B" && Figures.bytes(1536) == "1.5\u{a0}KiB")
    #expect(Figures.bytes((1 << 20) - 1) == "1.0\u{a0}MiB" && Figures.bytes(.max).hasSuffix("PiB"))
    #expect(Figures.factor(163, 100) == "1.63\u{a0}×" && Figures.factor(1, 0) == "–")
    #expect(Figures.share(1, of: 3) == "33\u{a0}%" && Figures.share(0, of: 3) == "0\u{a0}%")
    #expect(Figures.share(1, of: 1 << 30) == "<\u{a0}0.1\u{a0}%" || Figures.share(1, of: 1 << 30) == "< 0.1\u{a0}%")
    #expect(Figures.share((1 << 30) - 1, of: 1 << 30) == "> 99.9\u{a0}%" && Figures.share(5, of: 5) == "100\u{a0}%")
    #expect(Figures.percent(1.0 / 3) == "33.333%" && Figures.percent(0.5) == "50%" && Figures.percent(0.125) == "12.5%")
    #expect(Figures.percent(.nan) == "0%" && Figures.percent(7) == "100%" && Figures.percent(-1) == "0%")
  }

  @Test(arguments: [0, 951_782_399, 951_782_400, 1_709_164_800, 1_700_000_000, 4_107_542_399, 32_503_680_000])
  func `dates are those of the calendar`(seconds: Int) throws {
    let format = ISO8601DateFormatter()
    format.timeZone = TimeZone(identifier: "UTC")
    let wanted = format.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
    #expect(Moments.iso8601(UInt64(seconds) * 1_000_000) == wanted)
    #expect(Moments.text(UInt64(seconds) * 1_000_000) == wanted.prefix(16).replacing("T", with: " ") + " UTC")
  }

  @Test func `spans are told in one unit`() {
    #expect(Moments.span(59_999_999) == "59 seconds" && Moments.span(60_000_000) == "1 minute")
    #expect(Moments.relative(0, to: 3 * 86_400_000_000) == "3 days ago")
    #expect(Moments.relative(7_200_000_000, to: 0) == "in 2 hours")
    _ = Moments.text(.max)
  }

  @Test func `the policy names the page's scripts and styles by their digests`() {
    // As `printf abc | openssl dgst -sha256 -binary | base64` has it.
    let policy = ContentPolicy.text(styles: [], scripts: ["abc"])
    #expect(policy.contains("script-src 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='"))
    #expect(policy.contains("default-src 'none'") && policy.contains("style-src 'none'"))
    #expect(ContentPolicy.base64([]) == "" && ContentPolicy.base64([1]) == "AQ==")
    #expect(ContentPolicy.base64([1, 2]) == "AQI=")
  }

  @Test func `a table has a cell a column, a named row and a total`() {
    var table = DataTable("Things", [.text("Name"), .number("Size")], isSortable: true)
    table.append(["a", Figures.html(bytes: 2048)])
    table.setTotal(["all", "2 KiB"])
    let markup = table.html.markup
    #expect(markup.contains("<th scope=\"row\">a</th><td class=\"n\"><data value=\"2048\">2.0\u{a0}KiB</data></td>"))
    #expect(markup.contains("<tfoot><tr><th scope=\"row\">all</th>"))
    #expect(markup.components(of: "aria-sort=\"none\"") == 2)
  }
}
