/// A piece of HTML. Its literals are markup; what is put into them is text and gets escaped, so that nothing from a
/// store becomes markup, in an element or in a quoted attribute:
/// `let cell: HTML = "<td title=\"\(name)\">\(name)</td>"`.
package struct HTML: Hashable, Sendable, ExpressibleByStringInterpolation {
  package private(set) var markup: String

  package init(stringLiteral value: StaticString) { markup = value.description }

  package init(stringInterpolation: Interpolation) { markup = stringInterpolation.markup }

  /// Text, escaped for an element's content and for an attribute in quotation marks.
  package init(text: String) {
    markup = ""
    Self.escape(text, into: &markup)
  }

  /// - Parameter markup: the program's own. Never anything that was read from a file.
  package init(trusted markup: String) { self.markup = markup }

  package static let empty: HTML = ""

  package var isEmpty: Bool { markup.isEmpty }

  package static func += (html: inout HTML, more: HTML) { html.markup += more.markup }

  package static func + (a: HTML, b: HTML) -> HTML { HTML(trusted: a.markup + b.markup) }

  static func escape(_ text: String, into markup: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": markup += "&amp;"
      case "<": markup += "&lt;"
      case ">": markup += "&gt;"
      case "\"": markup += "&quot;"
      case "'": markup += "&#39;"
      case "`": markup += "&#96;"
      default: markup.unicodeScalars.append(scalar)
      }
    }
  }

  package struct Interpolation: StringInterpolationProtocol {
    fileprivate var markup = ""

    package init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    package mutating func appendLiteral(_ literal: StaticString) { markup += literal.description }
    package mutating func appendInterpolation(_ text: String) { HTML.escape(text, into: &markup) }
    package mutating func appendInterpolation(_ number: some FixedWidthInteger) { markup += String(number) }
    package mutating func appendInterpolation(_ html: HTML) { markup += html.markup }
    package mutating func appendInterpolation(_ list: [HTML]) { for html in list { markup += html.markup } }
    /// Nothing, where there is nothing.
    package mutating func appendInterpolation(_ html: HTML?) { markup += html?.markup ?? "" }
  }
}

extension Sequence<HTML> {
  package func joined(_ separator: HTML = "") -> HTML {
    HTML(trusted: map(\.markup).joined(separator: separator.markup))
  }
}
